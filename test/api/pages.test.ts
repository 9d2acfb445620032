import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generationSettings } from '../../src/inference/request.ts';
import { columnsOf } from '../../src/services/generations/stored-settings.ts';
import { loggingQueries } from '../support/query-log.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
let ownerId: string;
let projectId: string;

beforeAll(async () => {
  const engine = createStepwise();
  server = await startTestServer({ generate: engine.generate });
  const { client } = server.app.database;
  const project = await client.project.findFirstOrThrow({ where: { defaultOf: { not: null } } });
  ({ ownerId, id: projectId } = project);
});
afterAll(() => server.close());

/** Finished generations with an image each, `minutes` after the start of an hour. */
async function insert(minutes: readonly number[], hour: string): Promise<void> {
  const { client } = server.app.database;
  for (const minute of minutes) {
    const createdAt = new Date(`2026-01-01T${hour}:${String(minute).padStart(2, '0')}:00Z`);
    await client.generation.create({
      data: {
        ...columnsOf(settings),
        status: 'SUCCEEDED',
        ownerId,
        projectId,
        createdAt,
        clientReference: hour,
        images: {
          create: {
            ownerId,
            projectId,
            index: 0,
            ...image,
            storageKey: `originals/${hour}/${minute}.png`,
          },
        },
      },
    });
  }
}

const settings = generationSettings.parse({
  ...{ prompt: 'a boat', model: 'random', width: 64, height: 64, steps: 4, seed: 1 },
});
const image = {
  width: 64,
  height: 64,
  format: 'PNG' as const,
  bytes: 1,
  sha256: 'a'.repeat(64),
  placeholder: '',
};

const list = `query ($first: Int, $after: Cursor, $last: Int, $before: Cursor, $ref: String) {
  generations(first: $first, after: $after, last: $last, before: $before, filter: { clientReference: $ref }) {
    nodes { id createdAt } edges { cursor }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;
const times = (page: { nodes: { createdAt: string }[] }) =>
  page.nodes.map(({ createdAt }) => Number(createdAt.slice(14, 16)));

describe('a page', () => {
  it('has no repeated and no missing rows when rows are inserted meanwhile', async () => {
    await insert([10, 20, 30, 40, 50], '01');
    const first = (await server.gql(list, { first: 2, ref: '01' })).generations;
    expect(times(first)).toEqual([50, 40]);
    await insert([55, 35], '01');
    const { endCursor } = first.pageInfo;
    const second = (await server.gql(list, { first: 3, after: endCursor, ref: '01' })).generations;
    expect(times(second)).toEqual([35, 30, 20]);
    expect(second.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  });

  it('can be followed backwards', async () => {
    await insert([1, 2, 3, 4, 5], '02');
    const last = (await server.gql(list, { last: 2, ref: '02' })).generations;
    expect(times(last)).toEqual([2, 1]);
    const before = last.pageInfo.startCursor;
    const previous = (await server.gql(list, { last: 2, before, ref: '02' })).generations;
    expect(times(previous)).toEqual([4, 3]);
    expect(previous.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  });

  it('is found by the key of its rows, not by an offset', async () => {
    await insert([1, 2, 3], '03');
    const first = (await server.gql(list, { first: 1, ref: '03' })).generations;
    const after = first.pageInfo.endCursor;
    const queries = await loggingQueries(() => server.gql(list, { first: 1, after, ref: '03' }));
    const page = queries.find(({ text }) => /FROM "Generation" r/.test(text))!;
    const { client } = server.app.database;
    const rows = await client.$transaction(async (tx) => {
      // Three rows are read whole by any sane planner: of many, it would take the index.
      await tx.$executeRawUnsafe('SET LOCAL enable_seqscan = off');
      await tx.$executeRawUnsafe('SET LOCAL enable_bitmapscan = off');
      return tx.$queryRawUnsafe<{ 'QUERY PLAN': string }[]>(
        `EXPLAIN ${withValues(page.text, page.values)}`,
      );
    });
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index (Only )?Scan/);
    expect(plan).toMatch(/Index Cond:.*ROW\("createdAt", id\) </);
    expect(plan).not.toMatch(/Offset/i);
    const offset = /OFFSET \$(\d+)/.exec(page.text)?.[1];
    if (offset) expect(Number(page.values[Number(offset) - 1])).toBe(0);
  });

  it('of 50 generations with images, project and creator takes few queries', async () => {
    await insert(
      Array.from({ length: 50 }, (_, i) => i),
      '04',
    );
    const query = `{ generations(first: 50, filter: { clientReference: "04" }) { totalCount nodes {
      id project { name owner { name } } createdBy { name } settings { model { name } } queuePosition progress
      images { id url generation { id } project { id } }
    } } }`;
    let nodes: unknown[] = [];
    const queries = await loggingQueries(async () => {
      nodes = (await server.gql(query)).generations.nodes;
    });
    expect(nodes).toHaveLength(50);
    expect(queries.length).toBeLessThanOrEqual(12);
  });

  it('is counted only where the count is selected', async () => {
    const counting = await loggingQueries(() => server.gql('{ assets(first: 1) { totalCount } }'));
    const not = await loggingQueries(() => server.gql('{ assets(first: 1) { nodes { id } } }'));
    // The runner counts, too, now and then: what runs.
    const counts = (queries: typeof not) =>
      queries.filter(({ text }) => /COUNT\(.*"Asset"/is.test(text));
    expect(counts(counting)).toHaveLength(1);
    expect(counts(not)).toHaveLength(0);
  });
});

describe('a project', () => {
  it('is created, found and listed', async () => {
    const create =
      'mutation ($input: CreateProjectInput!) { createProject(input: $input) { project { id name isDefault owner { name } } } }';
    const { project } = (await server.gql(create, { input: { name: 'Boats' } })).createProject;
    expect(project).toMatchObject({ name: 'Boats', isDefault: false, owner: { name: 'local' } });
    const { projects, nodes, viewer } = await server.gql(
      `query ($ids: [ID!]!) {
        projects(filter: { search: "boat" }, orderBy: { field: NAME, direction: ASC }) { nodes { id generations { nodes { id } } } }
        nodes(ids: $ids) { id ... on Project { name } }
        viewer { user { name role } defaultProject { isDefault } limits { maxQueued maxRunning maxStoredBytes } }
      }`,
      { ids: [project.id, 'nonsense'] },
    );
    expect(projects.nodes).toEqual([{ id: project.id, generations: { nodes: [] } }]);
    expect(nodes).toEqual([{ id: project.id, name: 'Boats' }, null]);
    expect(viewer).toMatchObject({
      user: { name: 'local', role: 'ADMIN' },
      defaultProject: { isDefault: true },
      limits: { maxQueued: 500, maxStoredBytes: null },
    });
  });
});

/** EXPLAIN takes no parameters over the simple protocol: they are written in, as literals. */
function withValues(text: string, values: readonly unknown[]): string {
  return text.replace(/\$(\d+)/g, (_, number) => {
    const value = values[Number(number) - 1];
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    const literal = value instanceof Date ? value.toISOString() : String(value);
    return `'${literal.replaceAll("'", "''")}'`;
  });
}
