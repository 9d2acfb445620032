import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { localViewer } from '../../src/services/access/viewer.ts';
import {
  nodeTypes,
  parseGlobalId,
  requireRowId,
  toGlobalId,
} from '../../src/services/relay/global-id.ts';
import { idOf, openFixture, type ServiceFixture } from './support/service-fixture.ts';
import { draws } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const order = { field: 'createdAt', direction: 'DESC' } as const;
const list = { projectId: null, filter: {}, order, args: {} };

test('the local user has a default project from the first start on', async () => {
  const viewer = await localViewer(fixture.client);
  expect(viewer).toMatchObject({ name: 'local', role: 'ADMIN' });
  const id = toGlobalId('Project', viewer.defaultProjectId);
  expect(await fixture.projects.find(viewer, id)).toMatchObject({ defaultOf: viewer.id });
  expect(await localViewer(fixture.client)).toEqual(viewer);
});

test('finds any object by its id, and nothing of another user', async () => {
  const [viewer, stranger] = [await fixture.newViewer(), await fixture.newViewer()];
  await fixture.run(draws());
  const { id } = await fixture.ended(await fixture.ask(viewer));
  const [image] = await fixture.client.asset.findMany({ where: { generationId: id } });
  const ids = [
    toGlobalId('Project', viewer.defaultProjectId),
    toGlobalId('Generation', id),
    toGlobalId('Asset', image!.id),
    toGlobalId('User', viewer.id),
    toGlobalId('Model', 'tiny'),
    toGlobalId('Model', 'none'),
    toGlobalId('Asset', id),
    'nonsense',
    toGlobalId('Generation', id),
  ];
  const { nodes } = fixture;
  const found = await nodes.nodes(viewer, ids);
  expect(found.map((node) => node?.__typename ?? null)).toEqual([
    'Project',
    'Generation',
    'Asset',
    'User',
    'Model',
    null,
    null,
    null,
    'Generation',
  ]);
  expect(await nodes.node(viewer, ids[0]!)).toMatchObject({ id: viewer.defaultProjectId });
  const theirs = await nodes.nodes(stranger, ids);
  expect(theirs.map((node) => node?.__typename ?? null)).toEqual([
    ...[null, null, null, null, 'Model'],
    ...[null, null, null, null],
  ]);
  await expect(nodes.nodes(viewer, Array(201).fill('x'))).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
    details: { max: 200, got: 201 },
  });
});

test('lists assets by what they were generated with', async () => {
  const viewer = await fixture.newViewer();
  await fixture.run(draws());
  const red = await fixture.ask(viewer, { settings: { prompt: '100% red boat', seed: 5 } });
  const blue = await fixture.ask(viewer, {
    settings: { prompt: 'a blue house', seed: 6, sampler: 'DMD' },
    clientReference: 'mine',
  });
  await Promise.all([fixture.ended(red), fixture.ended(blue)]);
  const madeBy = async (filter: object) => {
    const { nodes } = await fixture.assets.page(viewer, { ...list, filter });
    return nodes.map(({ generationId }) => (generationId === red.id ? 'red' : 'blue')).sort();
  };
  expect(await madeBy({})).toEqual(['blue', 'red']);
  expect(await madeBy({ search: 'RED' })).toEqual(['red']);
  expect(await madeBy({ search: '100%' })).toEqual(['red']);
  expect(await madeBy({ search: '_' })).toEqual([]);
  expect(await madeBy({ sampler: 'DMD' })).toEqual(['blue']);
  expect(await madeBy({ seed: 6 })).toEqual(['blue']);
  expect(await madeBy({ kind: ['INPAINT'] })).toEqual([]);
  expect(await madeBy({ role: 'MASK' })).toEqual([]);
  expect(await madeBy({ createdAfter: new Date() })).toEqual([]);
  expect(await madeBy({ trashed: true })).toEqual([]);
  const generations = async (filter: object) => {
    const { nodes } = await fixture.generations.page(viewer, { ...list, filter });
    return nodes.map(({ id }) => (id === red.id ? 'red' : 'blue')).sort();
  };
  expect(await generations({ clientReference: 'mine' })).toEqual(['blue']);
  expect(await generations({ status: ['SUCCEEDED'], search: 'boat' })).toEqual(['red']);
  expect(await generations({ model: 'other' })).toEqual([]);
  const imagesOf = (id: string) => fixture.assets.ofGeneration(viewer, id);
  const images = await Promise.all([blue.id, red.id, 'nonsense'].map(imagesOf));
  expect(images.map((of) => of.map(({ seed }) => seed))).toEqual([[6n], [5n], []]);
  expect(await fixture.generations.load(viewer, blue.id)).toMatchObject({ id: blue.id });
  expect(await fixture.generations.load(viewer, 'nonsense')).toBeNull();
  expect(idOf(blue)).toBe(toGlobalId('Generation', blue.id));
});

test('creates projects, and refuses names that show nothing or mislead', async () => {
  const viewer = await fixture.newViewer();
  const { project } = await fixture.projects.create(viewer, { name: ' Boats ', description: 'x' });
  expect(project).toMatchObject({ name: 'Boats', description: 'x', ownerId: viewer.id });
  const invisible = [
    '\u200b',
    '\u2060',
    '\u00ad',
    '\u200e',
    '\u3164',
    '\u2800',
    '\u180e',
    '\u{e0020}',
  ];
  const misleading = ['\u202egnp.exe', 'a\u2066b', 'two\nlines'];
  const names = ['', '  ', 'x'.repeat(201), 'a\0', ...invisible, ...misleading];
  for (const name of names) {
    await expect(fixture.projects.create(viewer, { name })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { path: ['name'] },
    });
  }
  // Joiners and variation selectors belong to what people write: a family, a flag, Persian.
  for (const name of ['👩‍👩‍👧', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'می‌خواهم', '❤️']) {
    const made = await fixture.projects.create(viewer, { name });
    expect(made.project.name).toBe(name);
  }
  // The default project, and these five: as many as the fixture allows.
  await expect(fixture.projects.create(viewer, { name: 'one more' })).rejects.toMatchObject({
    code: 'QUOTA_EXCEEDED',
    details: { max: 6, got: 6 },
  });
});

test('global ids can be parsed again, and nothing else can', () => {
  const ofRow = fc.record({
    type: fc.constantFrom(...nodeTypes.filter((type) => type !== 'Model')),
    id: fc.uuid(),
  });
  const ofModel = fc.record({
    type: fc.constant('Model' as const),
    id: fc.string({ minLength: 1, maxLength: 100 }),
  });
  const id = fc.oneof(ofRow, ofModel);
  fc.assert(
    fc.property(id, ({ type, id: rowId }) => {
      expect(parseGlobalId(toGlobalId(type, rowId))).toEqual({ type, id: rowId });
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const parsed = parseGlobalId(text);
      if (parsed !== null) expect(toGlobalId(parsed.type, parsed.id)).toBe(text);
      else expect(() => requireRowId('Asset', text)).toThrow(DomainError);
    }),
  );
});

test('of two viewers that ask in the same moment each gets what it may see', async () => {
  const viewer = await fixture.newViewer();
  const admin = await localViewer(fixture.client);
  const member = await fixture.newViewer();
  const { users, projects } = fixture;
  const seen = await Promise.all([admin, viewer, member].map((one) => users.load(one, viewer.id)));
  expect(seen.map((user) => user?.id ?? null)).toEqual([viewer.id, viewer.id, null]);
  const own = await Promise.all(
    [admin, viewer, member].map((one) => projects.load(one, viewer.defaultProjectId)),
  );
  expect(own.map((project) => project?.id ?? null)).toEqual([null, viewer.defaultProjectId, null]);
});
