import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceImage } from '../../src/inference/request.ts';
import { startTestServer, type TestServer, take } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
const engine = createStepwise();
/** What the engine was given to start from. */
const sources: SourceImage[] = [];
beforeAll(async () => {
  server = await startTestServer({
    generate(request, options) {
      if (request.prompt.includes('fails')) throw new Error('on purpose');
      if (request.source) sources.push(request.source);
      return engine.generate(request, options);
    },
  });
  engine.release();
}, 60_000);
afterAll(() => server.close());

type Made = { id: string; images: { id: string; url: string }[] };

async function make(prompt: string, more = ''): Promise<Made> {
  const input = `{ waitSeconds: 30, settings: { prompt: ${JSON.stringify(prompt)} } ${more} }`;
  const fields = '{ generation { id images { id url } } }';
  return (await server.gql(`mutation { generate(input: ${input}) ${fields} }`)).generate.generation;
}
const image = async (prompt: string, more = '') => (await make(prompt, more)).images[0]!;
const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id);
const list = async (filter: string, order = ''): Promise<string[]> =>
  ids(
    (await server.gql(`{ assets(filter: { ${filter} } ${order}) { nodes { id } } }`)).assets.nodes,
  );
const change = (name: string, input: string, fields = '{ __typename }') =>
  server.gql(`mutation { ${name}(input: ${input}) ${fields} }`);
const codeOf = async (query: string) => {
  const { errors } = await server.post(query);
  return errors[0]?.extensions.code;
};
const newProject = async (name: string): Promise<string> =>
  (await change('createProject', `{ name: "${name}" }`, '{ project { id } }')).createProject.project
    .id;

describe('the search', () => {
  let cars: string;
  let castle: string;
  beforeAll(async () => {
    cars = (await image('two red cars in the snow, a bright morning')).id;
    castle = (await image('a castle by the sea')).id;
    await change(
      'updateAssets',
      `{ ids: ["${castle}"], title: "Holiday in Wales", addTags: ["stone"] }`,
    );
  });

  it.each([
    ['snow cars', 'words in any order'],
    ['car', 'another form of a word'],
    ['"bright morning"', 'a phrase'],
    ['bright morn', 'the beginning of the last word'],
    ['the snow', 'a word that says nothing'],
    ['SNOW', 'capitals'],
  ])('finds %s: %s', async (search) => {
    expect(await list(`search: ${JSON.stringify(search)}`)).toEqual([cars]);
  });

  it.each([
    'morning bright snow castle',
    '"morning bright"',
    'arsnow',
    '%',
    '"',
    '!!!',
    ':*',
    "'",
    '& | !',
  ])('does not find %s', async (search) => {
    expect(await list(`search: ${JSON.stringify(search)}`)).toEqual([]);
  });

  it('finds titles and tags', async () => {
    expect(await list('search: "wales holiday"')).toEqual([castle]);
    expect(await list('search: "stone sea"')).toEqual([castle]);
  });

  it('finds generations by their prompt', async () => {
    const { generations } = await server.gql(
      '{ generations(filter: { search: "snow car" }) { totalCount nodes { settings { prompt } } } }',
    );
    expect(generations.nodes).toEqual([
      { settings: { prompt: 'two red cars in the snow, a bright morning' } },
    ]);
    expect(generations.totalCount).toBe(1);
  });

  it('orders by relevance, page by page, and needs words for it', async () => {
    const order = 'orderBy: { field: RELEVANCE }';
    const titled = await image('something else');
    await change('updateAssets', `{ ids: ["${titled.id}"], title: "zeppelin" }`);
    const often = await image('zeppelin zeppelin zeppelin');
    const once = await image('a zeppelin over fields, hills, trees, rivers and roads');
    const all = await list('search: "zeppelin"', order);
    // A title weighs more than a prompt, and twice more than once.
    expect(all).toEqual([titled.id, often.id, once.id]);
    const paged: string[] = [];
    for (let after = 'null'; after !== ''; ) {
      const query = `{ assets(first: 1, after: ${after}, filter: { search: "zeppelin" } ${order}) { nodes { id } pageInfo { endCursor hasNextPage } } }`;
      const { nodes, pageInfo } = (await server.gql(query)).assets;
      paged.push(...ids(nodes));
      after = pageInfo.hasNextPage ? JSON.stringify(pageInfo.endCursor) : '';
    }
    expect(paged).toEqual(all);
    expect(await codeOf(`{ assets(${order}) { nodes { id } } }`)).toBe('BAD_USER_INPUT');
  });
});

describe('assets', () => {
  it('are tagged, marked, named and moved: all or none', async () => {
    const [a, b] = [await image('bulk'), await image('bulk')];
    const project = await newProject('moved here');
    const fields = '{ assets { id tags isFavorite title project { id } } }';
    const both = `["${b.id}", "${a.id}"]`;
    await change('updateAssets', `{ ids: ${both}, addTags: ["x", "y"], favorite: true }`);
    const { updateAssets } = await change(
      'updateAssets',
      `{ ids: ${both}, addTags: ["z", "x"], removeTags: ["y"], title: " T ", projectId: "${project}" }`,
      fields,
    );
    const now = { tags: ['x', 'z'], isFavorite: true, title: 'T', project: { id: project } };
    expect(updateAssets.assets).toEqual([
      { id: b.id, ...now },
      { id: a.id, ...now },
    ]);
    expect(await list('tagsAll: ["x", "z"], favorite: true')).toEqual([b.id, a.id]);
    expect(await list('tagsAny: ["y", "z"]')).toEqual([b.id, a.id]);
    expect(await list('tagsAll: ["x", "y"]')).toEqual([]);
    const cleared = await change(
      'updateAssets',
      `{ ids: ["${a.id}"], title: null, favorite: false }`,
      fields,
    );
    expect(cleared.updateAssets.assets[0]).toMatchObject({
      title: null,
      isFavorite: false,
      tags: ['x', 'z'],
    });

    const missing = Buffer.from('Asset:00000000-0000-7000-8000-000000000000').toString('base64url');
    for (const ids of [`["${a.id}", "nonsense"]`, `["${a.id}", "${missing}"]`]) {
      expect(
        await codeOf(
          `mutation { updateAssets(input: { ids: ${ids}, title: "no" }) { __typename } }`,
        ),
      ).toBe('NOT_FOUND');
    }
    for (const input of [
      `ids: []`,
      `ids: ["${a.id}"], addTags: ["\u200b"]`,
      `ids: ["${a.id}"], title: ""`,
      `ids: ["${a.id}"], addTags: [${Array.from({ length: 49 }, (_, i) => `"t${i}"`)}]`,
    ]) {
      expect(
        await codeOf(`mutation { updateAssets(input: { ${input} }) { __typename } }`),
        input,
      ).toBe('BAD_USER_INPUT');
    }
    expect((await server.gql(`{ asset(id: "${a.id}") { title } }`)).asset.title).toBeNull();
  });

  it('go to the trash and come back; for good with their files, and links are 404 at once', async () => {
    const { id, url } = await image('to be deleted');
    const small = (await server.gql(`{ asset(id: "${id}") { url(width: 64) } }`)).asset.url;
    expect((await fetch(small)).status).toBe(200);
    expect(
      await codeOf(`mutation { deleteAssets(input: { ids: ["${id}"] }) { __typename } }`),
    ).toBe('BAD_USER_INPUT');
    await change('trashAssets', `{ ids: ["${id}"] }`);
    expect(await list('')).not.toContain(id);
    expect(await list('trashed: true')).toContain(id);
    await change('restoreAssets', `{ ids: ["${id}"] }`);
    expect(await list('')).toContain(id);
    await change('trashAssets', `{ ids: ["${id}"] }`);
    const files = () =>
      readdirSync(join(server.app.dataFolder, 'files'), { recursive: true }).map(String);
    const before = files().filter((name) => /\.(png|webp|jpe?g|avif)$/.test(name)).length;
    const { deleteAssets } = await change(
      'deleteAssets',
      `{ ids: ["${id}"] }`,
      '{ deletedAssetIds }',
    );
    expect(deleteAssets.deletedAssetIds).toEqual([id]);
    expect(files().filter((name) => /\.(png|webp|jpe?g|avif)$/.test(name))).toHaveLength(
      before - 2,
    );
    for (const link of [url, small]) expect((await fetch(link)).status).toBe(404);
    expect((await server.gql(`{ asset(id: "${id}") { id } }`)).asset).toBeNull();
    const { auditEntries } = await server.gql(
      '{ auditEntries(filter: { action: "assets.delete" }) { nodes { details } } }',
    );
    expect(auditEntries.nodes[0].details).toContain('"assets":"1"');
  });

  it('have a cursor that leads to their neighbours', async () => {
    const made = [await image('one'), await image('two'), await image('three')];
    const { asset } = await server.gql(`{ asset(id: "${made[1]!.id}") { cursor } }`);
    const older = await server.gql(
      `{ assets(first: 1, after: "${asset.cursor}") { nodes { id } } }`,
    );
    const newer = await server.gql(
      `{ assets(last: 1, before: "${asset.cursor}") { nodes { id } } }`,
    );
    expect(ids(older.assets.nodes)).toEqual([made[0]!.id]);
    expect(ids(newer.assets.nodes)).toEqual([made[2]!.id]);
  });

  it('give renditions as srcset needs them', async () => {
    const { id } = await image('small');
    const query = `{ asset(id: "${id}") { width height placeholderDataUrl renditions(widths: [1, 60, 64, 5000]) { url width height } } }`;
    const { asset } = await server.gql(query);
    expect(asset.placeholderDataUrl).toMatch(/^data:image\/png;base64,/);
    expect(asset.renditions.map(({ width }: { width: number }) => width)).toEqual([asset.width]);
    expect((await fetch(asset.renditions[0].url)).status).toBe(200);
  });
});

describe('counts', () => {
  it('say how many assets each value, tag and day has', async () => {
    const project = await newProject('counted');
    const made = [
      await image('a', `, projectId: "${project}"`),
      await image('b', `, projectId: "${project}"`),
    ];
    await change('updateAssets', `{ ids: ["${made[0]!.id}"], addTags: ["Night", "sea"] }`);
    await change('updateAssets', `{ ids: ["${made[1]!.id}"], addTags: ["sea"] }`);
    const { tags, typed, assetFacets, assetTimeline } = await server.gql(`{
      tags(projectId: "${project}") { tag count }
      typed: tags(projectId: "${project}", search: "ni") { tag }
      assetFacets(projectId: "${project}") { total models { value count } tags { value count } kinds { value count } origins { value count } sizes { value count } samplers { value count } }
      assetTimeline(projectId: "${project}", by: DAY, timeZone: "Pacific/Kiritimati") { start count cursor }
    }`);
    expect(tags).toEqual([
      { tag: 'sea', count: 2 },
      { tag: 'Night', count: 1 },
    ]);
    expect(typed).toEqual([{ tag: 'Night' }]);
    expect(assetFacets).toMatchObject({
      total: 2,
      models: [{ value: 'random', count: 2 }],
      kinds: [{ value: 'TEXT_TO_IMAGE', count: 2 }],
      origins: [{ value: 'GENERATED', count: 2 }],
      samplers: [{ value: 'DPMPP_2M', count: 2 }],
    });
    expect(assetFacets.sizes).toHaveLength(1);
    expect(assetTimeline.map(({ count }: { count: number }) => count)).toEqual([2]);
    // Midnight of that zone, UTC+14 all year.
    expect(assetTimeline[0].start).toMatch(/T10:00:00\.000Z$/);
    const { assets } = await server.gql(
      `{ assets(projectId: "${project}", after: "${assetTimeline[0].cursor}") { nodes { id } } }`,
    );
    expect(ids(assets.nodes)).toEqual([made[1]!.id, made[0]!.id]);
    for (const zone of ['+02:00', 'Nowhere/Land', "UTC'"]) {
      expect(await codeOf(`{ assetTimeline(timeZone: "${zone}") { count } }`)).toBe(
        'BAD_USER_INPUT',
      );
    }
  });
});

describe('projects', () => {
  it('are changed, and keep what is left out', async () => {
    const id = await newProject('before');
    const { id: cover } = await image('cover', `, projectId: "${id}"`);
    const fields = '{ project { name description cover { id } } }';
    await change('updateProject', `{ id: "${id}", description: "d", coverAssetId: "${cover}" }`);
    const named = await change('updateProject', `{ id: "${id}", name: "after" }`, fields);
    expect(named.updateProject.project).toEqual({
      name: 'after',
      description: 'd',
      cover: { id: cover },
    });
    const cleared = await change(
      'updateProject',
      `{ id: "${id}", description: null, coverAssetId: null }`,
      fields,
    );
    expect(cleared.updateProject.project).toEqual({
      name: 'after',
      description: null,
      cover: null,
    });
  });

  it('go to the trash with all that is in them, come back without what was there before, and go for good', async () => {
    const id = await newProject('short-lived');
    const inside = `, projectId: "${id}"`;
    const [kept, trashed] = [await make('kept', inside), await image('trashed', inside)];
    await change('trashAssets', `{ ids: ["${trashed.id}"] }`);
    await change('trashProject', `{ id: "${id}" }`);
    const inLists = async () =>
      server.gql(`{
        projects { nodes { id } } assets(projectId: "${id}") { nodes { id } } generations(projectId: "${id}") { nodes { id } }
      }`);
    let lists = await inLists();
    expect(ids(lists.projects.nodes)).not.toContain(id);
    expect([...lists.assets.nodes, ...lists.generations.nodes]).toEqual([]);
    expect(
      await codeOf(
        `mutation { generate(input: { projectId: "${id}", settings: { prompt: "x" } }) { __typename } }`,
      ),
    ).toBe('NOT_FOUND');
    expect(
      await codeOf(`mutation { restoreAssets(input: { ids: ["${trashed.id}"] }) { __typename } }`),
    ).toBe('BAD_USER_INPUT');
    await change('restoreProject', `{ id: "${id}" }`);
    lists = await inLists();
    expect(ids(lists.assets.nodes)).toEqual([kept.images[0]!.id]);
    expect(lists.generations.nodes).toHaveLength(2);
    expect(await codeOf(`mutation { deleteProject(input: { id: "${id}" }) { __typename } }`)).toBe(
      'BAD_USER_INPUT',
    );
    await change('trashProject', `{ id: "${id}" }`);
    const gone = await change('deleteProject', `{ id: "${id}" }`, '{ deletedProjectId }');
    expect(gone.deleteProject.deletedProjectId).toBe(id);
    expect((await fetch(kept.images[0]!.url)).status).toBe(404);
    const nodes = await server.gql(
      `{ nodes(ids: ["${id}", "${kept.id}", "${kept.images[0]!.id}"]) { id } }`,
    );
    expect(nodes.nodes).toEqual([null, null, null]);
  });

  it('keep the default one', async () => {
    const { viewer } = await server.gql('{ viewer { defaultProject { id } } }');
    expect(
      await codeOf(
        `mutation { trashProject(input: { id: "${viewer.defaultProject.id}" }) { __typename } }`,
      ),
    ).toBe('BAD_USER_INPUT');
  });
});

describe('generations', () => {
  it('go to the trash with their images, and for good', async () => {
    const { id, images } = await make('bin');
    const input = `{ ids: ["${id}"] }`;
    expect(await codeOf(`mutation { deleteGenerations(input: ${input}) { __typename } }`)).toBe(
      'BAD_USER_INPUT',
    );
    await change('trashGenerations', input);
    expect(await list('trashed: true')).toContain(images[0]!.id);
    await change('restoreGenerations', input);
    expect(await list('')).toContain(images[0]!.id);
    await change('trashGenerations', input);
    await change('deleteGenerations', input);
    expect((await fetch(images[0]!.url)).status).toBe(404);
    expect((await server.gql(`{ generation(id: "${id}") { id } }`)).generation).toBeNull();
  });

  it('leave images that were restored or moved away, when they are deleted', async () => {
    const [restored, moved] = [await make('restored'), await make('moved')];
    const [a, b] = [restored.images[0]!, moved.images[0]!];
    const project = await newProject('safe');
    await change('trashGenerations', `{ ids: ["${restored.id}", "${moved.id}"] }`);
    await change('restoreAssets', `{ ids: ["${a.id}", "${b.id}"] }`);
    await change('updateAssets', `{ ids: ["${b.id}"], projectId: "${project}" }`);
    await change('deleteGenerations', `{ ids: ["${restored.id}", "${moved.id}"] }`);
    const { nodes } = await server.gql(
      `{ nodes(ids: ["${a.id}", "${b.id}"]) { ... on Asset { id generation { id } } } }`,
    );
    expect(nodes).toEqual([
      { id: a.id, generation: null },
      { id: b.id, generation: null },
    ]);
    for (const { url } of [a, b]) expect((await fetch(url)).status).toBe(200);
  });

  it('in the trash are not tried again', async () => {
    const project = await newProject('failed');
    const failed = await make('this fails', `, projectId: "${project}"`);
    await change('trashProject', `{ id: "${project}" }`);
    expect(
      await codeOf(`mutation { retryGeneration(input: { id: "${failed.id}" }) { __typename } }`),
    ).toBe('BAD_USER_INPUT');
  });

  it('are not tried again without the image that they start from', async () => {
    const source = await image('soon deleted');
    const settings = `{ prompt: "this fails", image: { assetId: "${source.id}" } }`;
    const { generate } = await change(
      'generate',
      `{ waitSeconds: 30, settings: ${settings} }`,
      '{ generation { id status } }',
    );
    expect(generate.generation.status).toBe('FAILED');
    await change('trashAssets', `{ ids: ["${source.id}"] }`);
    const project = await newProject('without a cover');
    const cover = `updateProject(input: { id: "${project}", coverAssetId: "${source.id}" })`;
    expect(await codeOf(`mutation { ${cover} { __typename } }`)).toBe('NOT_FOUND');
    await change('deleteAssets', `{ ids: ["${source.id}"] }`);
    const retry = `retryGeneration(input: { id: "${generate.generation.id}" })`;
    expect(await codeOf(`mutation { ${retry} { __typename } }`)).toBe('BAD_USER_INPUT');
  });

  it('survive changes of many clients at once: no deadlock, and each answer has a code', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, (_, i) => image(`crowd ${i}`)));
    const all = ids(made);
    const round = (i: number) => {
      const list = JSON.stringify(i % 2 ? all : [...all].reverse());
      const inputs = [
        `updateAssets(input: { ids: ${list}, addTags: ["t${i}"] })`,
        `trashAssets(input: { ids: ${list} })`,
        `restoreAssets(input: { ids: ${list} })`,
        `generate(input: { settings: { prompt: "among ${i}" } })`,
      ];
      return server.post(`mutation { ${inputs[i % 4]} { __typename } }`);
    };
    const answers = await Promise.all(Array.from({ length: 32 }, (_, i) => round(i)));
    expect(answers.flatMap(({ errors }) => errors)).toEqual([]);
    const { nodes } = await server.gql(
      `{ nodes(ids: ${JSON.stringify(all)}) { ... on Asset { tags } } }`,
    );
    // Nothing that was added is lost.
    for (const { tags } of nodes) expect(tags).toHaveLength(8);
  });

  it('are tried again with the same settings and seed where they failed, not where they succeeded', async () => {
    const failed = await make('this fails');
    const retry = `mutation { retryGeneration(input: { id: "${failed.id}", idempotencyKey: "again" }) { replayed generation { id settings { seed prompt } retryOf { id settings { seed prompt } } } } }`;
    const { retryGeneration: first } = await server.gql(retry);
    expect(first.replayed).toBe(false);
    expect(first.generation.retryOf.id).toBe(failed.id);
    expect(first.generation.settings).toEqual(first.generation.retryOf.settings);
    const { retryGeneration: second } = await server.gql(retry);
    expect(second).toMatchObject({ replayed: true, generation: { id: first.generation.id } });
    const { id } = await make('fine');
    expect(
      await codeOf(`mutation { retryGeneration(input: { id: "${id}" }) { __typename } }`),
    ).toBe('BAD_USER_INPUT');
  });
});

describe('the queue', () => {
  it('starts nothing while it is paused; what waits changes its priority, and is cancelled', async () => {
    const paused = await server.gql('mutation { pauseQueue { queue { paused } } }');
    expect(paused.pauseQueue.queue.paused).toBe(true);
    const add = async () =>
      (
        await change(
          'generate',
          '{ settings: { prompt: "waits" } }',
          '{ generation { id status } }',
        )
      ).generate.generation;
    const [first, second] = [await add(), await add()];
    const raised = await change(
      'setGenerationPriority',
      `{ id: "${second.id}", priority: HIGH }`,
      '{ generation { priority queuePosition } }',
    );
    expect(raised.setGenerationPriority.generation).toEqual({ priority: 'HIGH', queuePosition: 1 });
    for (const input of ['{}', `{ all: true, ids: ["${first.id}"] }`, '{ all: false }']) {
      expect(
        await codeOf(`mutation { cancelGenerations(input: ${input}) { canceledCount } }`),
      ).toBe('BAD_USER_INPUT');
    }
    const { cancelGenerations } = await change(
      'cancelGenerations',
      `{ ids: ["${first.id}"] }`,
      '{ canceledCount }',
    );
    expect(cancelGenerations.canceledCount).toBe(1);
    await server.gql('mutation { resumeQueue { queue { paused } } }');
    await expect
      .poll(
        async () =>
          (await server.gql(`{ generation(id: "${second.id}") { status } }`)).generation.status,
      )
      .toBe('SUCCEEDED');
    expect(
      await codeOf(
        `mutation { setGenerationPriority(input: { id: "${second.id}", priority: LOW }) { __typename } }`,
      ),
    ).toBe('BAD_USER_INPUT');
    const { auditEntries } = await server.gql(
      '{ auditEntries(filter: { action: "queue.pause" }) { nodes { actor { name } } } }',
    );
    expect(auditEntries.nodes).toEqual([{ actor: { name: 'local' } }]);
  });
});

describe('presets', () => {
  it('keep what they are given, under a name of their own', async () => {
    const input = '{ name: "mine", settings: { prompt: "p", steps: 7, sampler: DPMPP_2M } }';
    const fields = '{ preset { id name settings { prompt steps sampler width model } } }';
    const { createPreset } = await change('createPreset', input, fields);
    expect(createPreset.preset).toMatchObject({
      name: 'mine',
      settings: { prompt: 'p', steps: 7, sampler: 'DPMPP_2M', width: null, model: null },
    });
    expect(await codeOf(`mutation { createPreset(input: ${input}) { __typename } }`)).toBe(
      'BAD_USER_INPUT',
    );
    const odd = '{ name: "odd", settings: { steps: 1000 } }';
    expect(await codeOf(`mutation { createPreset(input: ${odd}) { __typename } }`)).toBe(
      'BAD_USER_INPUT',
    );
    expect((await server.gql('{ presets { name } }')).presets).toEqual([{ name: 'mine' }]);
    const { id } = createPreset.preset;
    await change('deletePreset', `{ id: "${id}" }`);
    expect(await codeOf(`mutation { deletePreset(input: { id: "${id}" }) { __typename } }`)).toBe(
      'NOT_FOUND',
    );
  });
});

describe('events of assets', () => {
  it('come to those who subscribe, also later, and only the types they ask for', async () => {
    const { id } = await image('seen');
    const { viewer } = await server.gql('{ viewer { eventCursor } }');
    await change('updateAssets', `{ ids: ["${id}"], title: "new" }`);
    await make('unseen');
    await change('trashAssets', `{ ids: ["${id}"] }`);
    await change('deleteAssets', `{ ids: ["${id}"] }`);
    const query = `subscription ($after: Cursor) { viewerEvents(after: $after, only: [ASSETS_CHANGED, ASSETS_DELETED]) {
      __typename ... on AssetsChanged { assets { id title } } ... on AssetsDeleted { assetIds }
    } }`;
    const events = await take(server.subscribe(query, { after: viewer.eventCursor }), 3);
    expect(events).toEqual([
      { __typename: 'AssetsChanged', assets: [] },
      { __typename: 'AssetsChanged', assets: [] },
      { __typename: 'AssetsDeleted', assetIds: [id] },
    ]);
  });
});

describe('inpainting', () => {
  it('records image and mask, hands both to the engine, and refuses what is not there', async () => {
    const [source, mask] = [await image('the whole'), await image('the mask')];
    const settings = `{ prompt: "inpainted", image: { assetId: "${source.id}", maskAssetId: "${mask.id}", strength: 1 } }`;
    const fields = `{ generation { kind settings { image { strength asset { id } mask { id } } } images { parents { id } } } }`;
    const made = await change('generate', `{ waitSeconds: 30, settings: ${settings} }`, fields);
    expect(made.generate.generation).toMatchObject({
      kind: 'INPAINT',
      settings: { image: { strength: 1, asset: { id: source.id }, mask: { id: mask.id } } },
      images: [{ parents: [{ id: source.id }, { id: mask.id }] }],
    });
    const sent = sources.at(-1)!;
    expect(sent.rgb.length).toBe(3 * sent.mask!.length);
    const other = settings.replace(mask.id, 'nothing');
    expect(
      await codeOf(`mutation { generate(input: { settings: ${other} }) { __typename } }`),
    ).toBe('NOT_FOUND');
  });
});

describe('image to image', () => {
  it('records what it starts from, and lineage survives the source', async () => {
    const source = await image('the source');
    const settings = (strength: number) =>
      `{ prompt: "another", steps: 4, image: { assetId: "${source.id}", strength: ${strength} } }`;
    const fields = `{ generation { kind settings { image { strength asset { id } } } images { id parents { id } } } }`;
    const { generate } = await change(
      'generate',
      `{ waitSeconds: 30, settings: ${settings(0.5)} }`,
      fields,
    );
    expect(generate.generation).toMatchObject({
      kind: 'IMAGE_TO_IMAGE',
      settings: { image: { strength: 0.5, asset: { id: source.id } } },
      images: [{ parents: [{ id: source.id }] }],
    });
    const child = generate.generation.images[0].id;
    expect(await list(`derivedFrom: "${source.id}"`)).toEqual([child]);
    const { asset } = await server.gql(
      `{ asset(id: "${source.id}") { children { nodes { id } totalCount } } }`,
    );
    expect(asset.children).toEqual({ nodes: [{ id: child }], totalCount: 1 });
    for (const strength of [0, 0.2, 1.1, -1]) {
      expect(
        await codeOf(
          `mutation { generate(input: { settings: ${settings(strength)} }) { __typename } }`,
        ),
      ).toBe('BAD_USER_INPUT');
    }
    expect(
      await codeOf(
        'mutation { generate(input: { settings: { prompt: "x", image: { assetId: "nothing" } } }) { __typename } }',
      ),
    ).toBe('NOT_FOUND');
    await change('trashAssets', `{ ids: ["${source.id}"] }`);
    await change('deleteAssets', `{ ids: ["${source.id}"] }`);
    const after = await server.gql(
      `{ asset(id: "${child}") { parents { id } generation { kind settings { image { strength asset { id } } } } } }`,
    );
    expect(after.asset).toEqual({
      parents: [],
      generation: { kind: 'IMAGE_TO_IMAGE', settings: { image: { strength: 0.5, asset: null } } },
    });
  });
});
