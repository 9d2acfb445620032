import { afterAll, beforeAll, expect, it } from 'vitest';
import { draws } from '../services/support/stand-in-engine.ts';
import { loggingQueries } from '../support/query-log.ts';
import { all, startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ generate: draws() });
});
afterAll(() => server.close());

const generate = `mutation { generate(input: {
  settings: { prompt: "a boat", seed: 1, steps: 1 }
}) { generation { id eventCursor } } }`;
const follow = `subscription ($id: ID!, $after: Cursor) {
  generationEvents(id: $id, after: $after) { __typename ... on GenerationEvent { generation { status } } }
}`;

/** Queries on the log and on rows, from the mutation until the last of `count` viewers has seen the end. */
async function queriesWith(count: number): Promise<number> {
  const queries = await loggingQueries(async () => {
    const { id, eventCursor: after } = (await server.gql(generate)).generate.generation;
    const told = await Promise.all(
      Array.from({ length: count }, () => all(server.subscribe(follow, { id, after }))),
    );
    for (const events of told) {
      expect(events.at(-1)).toMatchObject({ generation: { status: 'SUCCEEDED' } });
    }
  });
  const ofTheStream = /FROM "public"\."(Event|Generation)"/;
  return queries.filter(({ text }) => ofTheStream.test(text)).length;
}

it('subscribers of the same generation share one read of the log and of the row', async () => {
  await queriesWith(1); // The first one meets a cold runner.
  const [one, twenty] = [await queriesWith(1), await queriesWith(20)];
  expect(twenty).toBeLessThan(5 * one); // Each for itself, it would be twenty times as many.
});
