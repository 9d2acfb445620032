import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import type { Viewer } from '../../src/services/access/viewer.ts';
import type { ProjectOrder } from '../../src/services/library/projects.ts';
import { toGlobalId } from '../../src/services/relay/global-id.ts';
import type { PageArgs } from '../../src/services/relay/pagination.ts';
import { openFixture, type ServiceFixture } from './support/service-fixture.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const newest = { field: 'createdAt', direction: 'DESC' } as const;
const page = (viewer: Viewer, args: PageArgs, order: ProjectOrder = newest) =>
  fixture.projects.page(viewer, { filter: {}, order, args });

/** Its default project is out of the way, in the trash; `count` others, three of which share each moment. */
async function viewerWith(count: number): Promise<Viewer> {
  const viewer = await fixture.newViewer();
  await fixture.client.project.update({
    where: { id: viewer.defaultProjectId },
    data: { trashedAt: new Date() },
  });
  await insert(viewer, count, 0);
  return viewer;
}

async function insert(viewer: Viewer, count: number, minute: number): Promise<void> {
  await fixture.client.project.createMany({
    data: Array.from({ length: count }, (_, i) => ({
      ownerId: viewer.id,
      name: `${minute} ${i}`,
      createdAt: new Date(Date.UTC(2026, 0, 1, 0, minute, Math.floor(i / 3))),
    })),
  });
}

async function walk(
  viewer: Viewer,
  order: ProjectOrder,
  isForward: boolean,
  between = async () => {},
) {
  const names: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const args: PageArgs = isForward ? { first: 4, after: cursor } : { last: 4, before: cursor };
    const { nodes, pageInfo } = await page(viewer, args, order);
    if (isForward) names.push(...nodes.map(({ name }) => name));
    else names.unshift(...nodes.map(({ name }) => name));
    if (!(isForward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) return names;
    cursor = isForward ? pageInfo.endCursor : pageInfo.startCursor;
    await between();
  }
}

test('pages contain every row once, in both directions and every order', async () => {
  const viewer = await viewerWith(11);
  for (const field of ['createdAt', 'updatedAt', 'name'] as const) {
    for (const direction of ['ASC', 'DESC'] as const) {
      const order = { field, direction };
      const forward = await walk(viewer, order, true);
      expect(new Set(forward).size).toBe(11);
      expect(await walk(viewer, order, false)).toEqual(forward);
    }
  }
});

test.each([true, false])(
  'rows that are inserted between two pages make none repeat or vanish (%s)',
  async (isForward) => {
    const viewer = await viewerWith(11);
    const old = new Set(await walk(viewer, newest, true));
    let minute = 0;
    const between = async () => {
      minute += 1;
      await insert(viewer, 2, minute);
      await insert(viewer, 2, -minute);
    };
    const names = await walk(viewer, newest, isForward, between);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => old.has(name))).toHaveLength(11);
  },
);

test('counts only where it is selected, and says whether there are more rows', async () => {
  const viewer = await viewerWith(5);
  const first = await page(viewer, { first: 5 });
  expect(first.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
  expect(await first.totalCount()).toBe(5);
  const middle = await page(viewer, { first: 2, after: first.edges[0]!.cursor });
  expect(middle.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  expect(middle.nodes).toEqual(first.nodes.slice(1, 3));
  const between = { after: first.edges[0]!.cursor, before: first.edges[3]!.cursor };
  expect((await page(viewer, between)).nodes).toEqual(first.nodes.slice(1, 3));
  expect((await page(viewer, { first: 0 })).nodes).toEqual([]);
});

test('lists no rows of another user', async () => {
  await viewerWith(3);
  const stranger = await viewerWith(0);
  expect((await page(stranger, {})).nodes).toEqual([]);
  const mine = await fixture.newViewer();
  const projectId = toGlobalId('Project', mine.defaultProjectId);
  const list = { filter: {}, order: newest, args: {}, projectId };
  expect((await fixture.assets.page(stranger, list)).nodes).toEqual([]);
  expect((await fixture.generations.page(stranger, list)).nodes).toEqual([]);
});

test('refuses sizes and cursors that are not valid for the list', async () => {
  const viewer = await viewerWith(3);
  const { edges } = await page(viewer, {});
  const cursor = edges[0]!.cursor;
  const refusals: [PageArgs, string, ProjectOrder?][] = [
    [{ first: 1001 }, 'BAD_USER_INPUT'],
    [{ first: -1 }, 'BAD_USER_INPUT'],
    [{ last: 1.5 }, 'BAD_USER_INPUT'],
    [{ first: 1, last: 1 }, 'BAD_USER_INPUT'],
    [{ after: 'nonsense' }, 'BAD_CURSOR'],
    [{ before: '' }, 'BAD_CURSOR'],
    [{ after: cursor }, 'BAD_CURSOR', { field: 'createdAt', direction: 'ASC' }],
    [{ after: cursor }, 'BAD_CURSOR', { field: 'name', direction: 'DESC' }],
  ];
  for (const [args, code, order] of refusals) {
    await expect(page(viewer, args, order)).rejects.toMatchObject({ code });
  }
});

test('no cursor, however malformed, causes an unexpected error', async () => {
  const viewer = await viewerWith(1);
  const parts = fc.tuple(
    fc.constantFrom('createdAt', 'name'),
    fc.constantFrom('ASC', 'DESC'),
    fc.anything(),
    fc.oneof(fc.uuid(), fc.string()),
  );
  const cursor = fc.oneof(
    fc.string(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    parts.map((part) => {
      const text = JSON.stringify(part, (_, value) => (typeof value === 'bigint' ? 1 : value));
      return Buffer.from(text).toString('base64url');
    }),
  );
  const order = fc.constantFrom<ProjectOrder>(newest, { field: 'name', direction: 'ASC' });
  await fc.assert(
    fc.asyncProperty(cursor, order, async (after, by) => {
      const failed = await page(viewer, { after }, by).then(
        () => null,
        (error: unknown) => error,
      );
      if (failed !== null) expect(failed).toBeInstanceOf(DomainError);
    }),
    { numRuns: 200 },
  );
});
