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

test('lists pictures by what they were made with', async () => {
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
  expect(await madeBy({ search: '0%' })).toEqual(['red']);
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

test('makes projects, and refuses a name that nobody could read', async () => {
  const viewer = await fixture.newViewer();
  const { project } = await fixture.projects.create(viewer, { name: ' Boats ', description: 'x' });
  expect(project).toMatchObject({ name: 'Boats', description: 'x', ownerId: viewer.id });
  for (const name of ['', '  ', 'x'.repeat(201), 'a\0']) {
    await expect(fixture.projects.create(viewer, { name })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: { path: ['name'] },
    });
  }
});

test('every id comes back as it was; nothing else is one', () => {
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
