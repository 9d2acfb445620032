import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { draws } from '../services/support/stand-in-engine.ts';
import { type LoggedQuery, loggingQueries } from '../support/query-log.ts';
import { all, startTestServer, type TestServer, take } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const waiting = 20;
let server: TestServer;
/** Position of the event log before the first of them waited. */
let before: string;

/** One has run, so that times can be told; the engine is full; and 20 wait. */
beforeAll(async () => {
  const engine = createStepwise();
  server = await startTestServer({ generate: engine.generate });
  const [first] = await generate(1);
  await engine.started();
  engine.advance(4);
  await all(server.subscribe(follow, { id: first }));
  const { viewer } = await server.gql('{ viewer { limits { maxRunning } eventCursor } }');
  await generate(viewer.limits.maxRunning);
  for (let i = 0; i < viewer.limits.maxRunning; i++) await engine.started();
  before = (await server.gql('{ viewer { eventCursor } }')).viewer.eventCursor;
  await generate(waiting);
});
afterAll(() => server.close());

const follow = 'subscription ($id: ID!) { generationEvents(id: $id) { __typename } }';

async function generate(count: number): Promise<string[]> {
  const one = (i: number) =>
    `a${i}: generate(input: { settings: { prompt: "boat ${i}" } }) { generation { id } }`;
  const made = await server.gql(`mutation { ${Array.from({ length: count }, (_, i) => one(i))} }`);
  return Object.values(made).map(
    (payload) => (payload as { generation: { id: string } }).generation.id,
  );
}

/** Reads of the whole queue: windows over all that wait. */
const readsOfTheQueue = (queries: readonly LoggedQuery[]) =>
  queries.filter(({ text }) => text.includes('row_number()'));

describe('the queue', () => {
  const fields = 'queuePosition estimatedFinishAt progress';

  it('is read once for all positions and estimates of a page of generations', async () => {
    let nodes: { queuePosition: number; estimatedFinishAt: string }[] = [];
    const queries = await loggingQueries(async () => {
      const query = `{ generations(filter: { status: QUEUED }) { nodes { ${fields} } } }`;
      nodes = (await server.gql(query)).generations.nodes;
    });
    expect(nodes.map(({ queuePosition }) => queuePosition)).toEqual(
      Array.from({ length: waiting }, (_, i) => waiting - i),
    );
    const ends = nodes.map(({ estimatedFinishAt }) => Date.parse(estimatedFinishAt));
    // The newest ends last; each counts from its own "now", a few milliseconds apart.
    for (const [i, end] of ends.entries()) expect(end).toBeGreaterThan((ends[i + 1] ?? 0) - 1_000);
    expect(readsOfTheQueue(queries)).toHaveLength(1);
    expect(queries.length).toBeLessThanOrEqual(8);
  });

  it('is read once for the generations of a page of assets', async () => {
    const { client } = server.app.database;
    const rows = await client.generation.findMany({ where: { status: 'QUEUED' } });
    await client.asset.createMany({
      data: rows.map(({ id, ownerId, projectId }) => ({
        ...image,
        ownerId,
        projectId,
        generationId: id,
        storageKey: `originals/${id}/0.png`,
      })),
    });
    const queries = await loggingQueries(async () => {
      const query = `{ assets(first: ${waiting}) { nodes { generation { ${fields} } } } }`;
      const { nodes } = (await server.gql(query)).assets;
      expect(nodes[0].generation.estimatedFinishAt).toMatch(/Z$/);
    });
    expect(readsOfTheQueue(queries)).toHaveLength(1);
    expect(queries.length).toBeLessThanOrEqual(8);
  });

  const watch = (selected: string) =>
    `subscription ($after: Cursor) { viewerEvents(after: $after) { __typename ${selected} } }`;
  const places = '... on GenerationQueued { position estimatedStartAt }';
  const queued = async (query: string, after: string | null, count: number) => {
    let events: { position: number }[] = [];
    const queries = await loggingQueries(async () => {
      events = await take(server.subscribe(query, { after }), count);
    });
    return { positions: events.flatMap(({ position }) => position ?? []), queries };
  };
  const inOrder = Array.from({ length: waiting }, (_, i) => i + 1);

  it('is read once when a subscription starts with the current state', async () => {
    const { positions, queries } = await queued(watch(places), null, 4 + waiting);
    expect(positions).toEqual(inOrder);
    expect(readsOfTheQueue(queries)).toHaveLength(1);
    expect(queries.length).toBeLessThanOrEqual(8);
  });

  it('is read once when a subscription resumes', async () => {
    const { positions, queries } = await queued(watch(places), before, waiting);
    expect(positions).toEqual(inOrder);
    expect(readsOfTheQueue(queries)).toHaveLength(1);
    expect(queries.length).toBeLessThanOrEqual(8);
  });

  it('is not read for a subscription that selects no position', async () => {
    const { queries } = await queued(watch('cursor'), before, waiting);
    expect(readsOfTheQueue(queries)).toEqual([]);
  });
});

it('has a position in an answer if and only if the status there is QUEUED', async () => {
  // A server whose runner has room, so that it claims while the answers are made.
  const busy = await startTestServer({ generate: draws() });
  try {
    const one = (i: number) =>
      `a${i}: generate(input: { settings: { prompt: "boat" } }) { generation { status queuePosition startedAt } }`;
    for (let round = 0; round < 5; round++) {
      const mutation = `mutation { ${Array.from({ length: 9 }, (_, i) => one(i))} }`;
      for (const { generation } of Object.values<Made>(await busy.gql(mutation))) {
        const { status, queuePosition, startedAt } = generation;
        expect([status, queuePosition !== null]).toEqual([status, status === 'QUEUED']);
        expect([status, startedAt === null]).toEqual([status, status === 'QUEUED']);
      }
    }
  } finally {
    await busy.close();
  }
});

type Made = {
  generation: { status: string; queuePosition: number | null; startedAt: string | null };
};

const image = {
  index: 0,
  width: 64,
  height: 64,
  format: 'PNG' as const,
  bytes: 1,
  sha256: 'a'.repeat(64),
  placeholder: '',
};
