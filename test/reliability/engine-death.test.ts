import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';

/** What the log says of dead engines. */
const deaths: (string | undefined)[] = [];
let server: TestServer;
beforeAll(async () => {
  process.env['CRASH_SEED'] = '666';
  server = await startTestServer({
    workerUrl: new URL('../support/crash-on-seed-worker.mjs', import.meta.url),
    onLog({ msg, err }) {
      if (msg === 'the engine was lost, another one starts') deaths.push(err?.message);
    },
  });
});
afterAll(() => server.close());

const generate = `mutation ($seed: Seed!) {
  generate(input: { settings: { prompt: "a boat", seed: $seed, steps: 4 }, waitSeconds: 60 }) {
    generation { status failure { code message retryable } images { seed } }
  }
}`;
const draw = async (seed: number) => (await server.gql(generate, { seed })).generate.generation;

test('a generation that kills its engine three times fails, and all others succeed', async () => {
  const [first, deadly, ...others] = await Promise.all([1, 666, 2, 3, 4].map(draw));
  expect(deadly).toMatchObject({
    status: 'FAILED',
    failure: { code: 'ENGINE_FAILED', retryable: true },
    images: [],
  });
  expect(deadly.failure.message).toContain('made to crash');
  for (const other of [first, ...others]) expect(other).toMatchObject({ status: 'SUCCEEDED' });
  expect(deaths).toEqual(Array(3).fill('made to crash'));
  // The engine that stands there now is as good as the first.
  expect(await draw(5)).toMatchObject({ status: 'SUCCEEDED', images: [{ seed: '5' }] });
}, 120_000);
