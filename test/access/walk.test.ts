import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  getNamedType,
  isInterfaceType,
  isIntrospectionType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { buildSchema } from '../../src/resolvers/build-schema.ts';
import { scopes } from '../../src/services/access/limits.ts';
import { makeKey, makeUser } from '../support/access.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

/**
 * Every field, argument that takes an id, mutation and subscription of the schema: the owner reads a value first, then
 * others ask for the same. A new field fails here until it is covered.
 */
const schema = buildSchema();
const engine = createStepwise();
let server: TestServer;
let owner: Headers;
/** What belongs to the owner: nothing of it may reach anybody else. */
let own: Own;

type Headers = { authorization: string };
type Own = Record<
  | 'project'
  | 'generation'
  | 'failed'
  | 'asset'
  | 'user'
  | 'apiKey'
  | 'preset'
  | 'child'
  | 'retry'
  | 'cursor'
  | 'beginning'
  | 'page'
  | 'url',
  string
>;

/** A prompt that nobody else has. */
const secretPrompt = 'zanzibar-owner-prompt';
const reference = 'owner-reference-4711';
/** Words that only the owner's objects hold. */
const ownWords = [
  ...[secretPrompt, reference, 'owner-project', 'owner-description', 'owner-title', 'owner-tag'],
  'owner-preset',
];

beforeAll(async () => {
  server = await startTestServer({
    generate: async function* (request, options) {
      if (request.prompt.includes('fails')) throw new Error('on purpose');
      for await (const event of engine.generate(request, options)) {
        const timings = [{ stage: 'DENOISING', milliseconds: 5 }] as const;
        yield event.type === 'image' ? { ...event, timings } : event;
      }
    },
    config: { isAccessRequired: true, rateLimit: 0 },
  });
  const { client } = server.app.database;
  const user = await makeUser(client, 'ADMIN');
  owner = (await makeKey(client, user)).bearer;
  const made = await ask(
    'mutation { createProject(input: { name: "owner-project", description: "owner-description" }) { project { id } } }',
    owner,
  );
  const project: string = made.data.createProject.project.id;
  const generate = async (prompt: string): Promise<string> => {
    const settings = `settings: { prompt: "${prompt}", count: 2 }`;
    const input = `{ waitSeconds: 30, clientReference: "${reference}", projectId: "${project}", ${settings} }`;
    const { data } = await ask(
      `mutation { generate(input: ${input}) { generation { id } } }`,
      owner,
    );
    return data.generate.generation.id;
  };
  const key = `createApiKey(input: { name: "k", scopes: [READ], expiresAt: "2099-01-01T00:00:00Z" })`;
  await ask(`mutation { ${key} { apiKey { id } } }`, owner);
  engine.release();
  const start = await ask('{ viewer { eventCursor } }', owner);
  const generation = await generate(secretPrompt);
  const failed = await generate(`${secretPrompt} fails`);
  const { data } = await ask(
    '{ viewer { eventCursor user { id } apiKeys { id } } assets { nodes { id url } pageInfo { endCursor } } }',
    owner,
  );
  const first: string = data.assets.nodes[0].id;
  const changes = await ask(
    `mutation {
      updateAssets(input: { ids: ["${first}"], title: "owner-title", addTags: ["owner-tag"], favorite: true }) { assets { id } }
      updateProject(input: { id: "${project}", coverAssetId: "${first}" }) { project { id } }
      createPreset(input: { name: "owner-preset", settings: {
        prompt: "${secretPrompt}", negativePrompt: "n", model: "random", width: 64, height: 64, steps: 4
        guidanceScale: 2, sampler: DPMPP_2M
      } }) { preset { id } }
      child: generate(input: { waitSeconds: 30, projectId: "${project}", settings: {
        prompt: "${secretPrompt}", image: { assetId: "${first}", maskAssetId: "${first}", strength: 0.5 }
      } }) { generation { id } }
      retryGeneration(input: { id: "${failed}" }) { generation { id } }
    }`,
    owner,
  );
  expect(changes.errors).toEqual([]);
  own = {
    ...{ generation, failed, project },
    preset: changes.data.createPreset.preset.id,
    child: changes.data.child.generation.id,
    retry: changes.data.retryGeneration.generation.id,
    asset: data.assets.nodes[0].id,
    url: data.assets.nodes[0].url,
    user: data.viewer.user.id,
    apiKey: data.viewer.apiKeys[0].id,
    cursor: data.viewer.eventCursor,
    beginning: start.data.viewer.eventCursor,
    page: data.assets.pageInfo.endCursor,
  };
}, 120_000);
afterAll(() => server.close());

type Answer = {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are what the walk asks for.
  data: any;
  errors: { extensions: { code: string } }[];
  text: string;
};
const ask = (query: string, headers: object, variables = {}): Promise<Answer> =>
  server.post(query, variables, headers as Record<string, string>);

/** What arguments are given, by `Type.field.argument`, `field.argument` or `argument`; of an id all that fit. */
const values: Record<string, () => readonly string[]> = {
  'Query.node.id': () => [
    own.project,
    own.generation,
    own.failed,
    own.asset,
    own.user,
    own.apiKey,
    own.preset,
  ],
  'Query.nodes.ids': () =>
    [own.project, own.generation, own.asset, own.user, own.apiKey, own.preset, own.child].map(
      (id) => JSON.stringify([id]),
    ),
  'Query.project.id': () => [own.project],
  'Query.generation.id': () => [own.generation, own.failed, own.child, own.retry],
  'Query.asset.id': () => [own.asset],
  projectId: () => ['', own.project],
  'children.first': () => ['1'],
  first: () => ['3'],
  'Asset.renditions.widths': () => ['[64]'],
};

function valuesOf(
  type: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  argument: GraphQLArgument,
) {
  const names = [
    `${type.name}.${field.name}.${argument.name}`,
    `${field.name}.${argument.name}`,
    argument.name,
  ];
  const found = names.map((name) => values[name]).find((given) => given !== undefined);
  if (found) return found().filter((value) => value !== '');
  const takesId = getNamedType(argument.type).name === 'ID';
  const isNeeded = isNonNullType(argument.type) && argument.defaultValue === undefined;
  if (takesId || isNeeded) throw new Error(`Expected the walk to know a value of ${names[0]}`);
  return [];
}

/** All fields of a type, objects inside objects down to `depth`; of an interface those of `types`. */
function selectionOf(type: GraphQLNamedType, depth: number, types?: readonly string[]): string {
  if (isInterfaceType(type)) {
    const inner = schema
      .getPossibleTypes(type)
      .filter(({ name }) => types?.includes(name) ?? true)
      .map((one) => `... on ${one.name} ${selectionOf(one, depth)}`);
    return `{ __typename ${inner.join(' ')} }`;
  }
  if (!isObjectType(type)) return '';
  const fields = Object.values(type.getFields()).flatMap((field) => {
    const inner = getNamedType(field.type);
    if (!isLeafType(inner) && depth === 0) return [];
    // Pages below the items of pages would cost more than an operation may.
    if (field.name === 'children' && depth < 3) return [];
    const args = field.args.flatMap((argument) => {
      const [value] = valuesOf(type, field, argument);
      const isId = getNamedType(argument.type).name === 'ID';
      return value === undefined || isId ? [] : [`${argument.name}: ${value}`];
    });
    const given = args.length > 0 ? `(${args.join(', ')})` : '';
    return [`${field.name}${given} ${selectionOf(inner, depth - 1)}`];
  });
  return `{ __typename ${fields.join(' ')} }`;
}

/** Operations that reach every field of the root, with each of its values. */
function operationsOf(root: GraphQLObjectType, depth: number): [name: string, query: string][] {
  return Object.values(root.getFields()).flatMap((field) => {
    const given = field.args.map(
      (argument) => [argument, valuesOf(root, field, argument)] as const,
    );
    const rounds = Math.max(1, ...given.map(([, texts]) => texts.length));
    const type = getNamedType(field.type);
    // Types of an interface may have fields of the same name that cannot be selected side by side.
    const types = isInterfaceType(type)
      ? schema.getPossibleTypes(type).map(({ name }) => name)
      : [''];
    return Array.from({ length: rounds * types.length }, (_, round): [string, string] => {
      const i = Math.floor(round / types.length);
      const only = types.slice(round % types.length, (round % types.length) + 1);
      const args = given.flatMap(([argument, texts]) => {
        const text = texts[Math.min(i, texts.length - 1)];
        if (text === undefined) return [];
        const isQuoted = getNamedType(argument.type).name === 'ID' && !isListOf(argument);
        return [`${argument.name}: ${isQuoted ? JSON.stringify(text) : text}`];
      });
      const list = args.length > 0 ? `(${args.join(', ')})` : '';
      const selection = selectionOf(type, depth, only);
      return [`${root.name}.${field.name} ${round}`, `{ ${field.name}${list} ${selection} }`];
    });
  });
}

function isListOf({ type }: GraphQLArgument): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

/** `Type.field` of everything that has a value. */
function* seenIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* seenIn(item);
  else if (typeof value === 'object' && value !== null) {
    const type = (value as { __typename?: string }).__typename;
    for (const [key, inner] of Object.entries(value)) {
      const isEmpty = inner === null || (Array.isArray(inner) && inner.length === 0);
      if (type && !isEmpty) yield `${type}.${key}`;
      yield* seenIn(inner);
    }
  }
}

/** Fields that a generation without these never has, or that are covered elsewhere. */
const withoutValue: Record<string, string> = {
  'Asset.trashedAt': 'of what is in the trash, which lists leave out',
  'Generation.trashedAt': 'of what is in the trash, which lists leave out',
  'Project.trashedAt': 'of what is in the trash, which lists leave out',
  'Asset.embedded': 'only of uploads',
  'Generation.stage': 'only while it runs, asked for below',
  'Generation.queuePosition': 'only while it waits, asked for below',
  'Generation.estimatedFinishAt': 'only while it waits or runs, asked for below',
  'Generation.previews': 'only while it runs, asked for below',
  'GenerationSettings.negativePrompt': 'left out here; lies in the same record as the prompt',
  'Limits.maxStoredBytes': 'not configured here',
  'Limits.maxImagesPerDay': 'not configured here',
};
/** Types that are no one's: the installation's own. */
const ofEverybody =
  /^(Model|ModelDefaults|ModelLimits|Size|Server|Queue|AdapterInfo|SamplerInfo)(\.|$)/;
/** What only subscriptions and mutations give. */
const elsewhere =
  /^(Preview|Generation\w+Event|Generation(Queued|Started|Progress|ImageReady|Succeeded|Failed|Canceled)|Assets(Changed|Deleted)|EventsReset|EmbeddedSettings|\w+Payload)\./;

let seen: Set<string>;

describe('the walk', () => {
  it('gives the owner a value of every field', async () => {
    seen = new Set();
    for (const [name, query] of operationsOf(schema.getQueryType()!, 3)) {
      const { data, errors } = await ask(query, owner);
      expect(errors, name).toEqual([]);
      for (const coordinate of seenIn(data)) seen.add(coordinate);
    }
    const missing = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) && !isIntrospectionType(type))
      .filter(({ name }) => !['Query', 'Mutation', 'Subscription'].includes(name))
      .flatMap((type) =>
        Object.keys((type as GraphQLObjectType).getFields()).map(
          (field) => `${type.name}.${field}`,
        ),
      )
      .filter((name) => !seen.has(name) && !(name in withoutValue))
      .filter((name) => !ofEverybody.test(name) && !elsewhere.test(name));
    expect(missing).toEqual([]);
  });

  /** Texts that only the owner's data hold. */
  const belongings = () => [
    ...ownWords,
    ...[
      own.project,
      own.generation,
      own.failed,
      own.asset,
      own.apiKey,
      own.url,
      own.preset,
      own.child,
    ].map(String),
  ];
  /** A key that its own answers do not name: ids that were asked for may be repeated in errors. */
  const leaksIn = ({ text, data }: Answer) => {
    const answered = JSON.stringify(data ?? null);
    const named = ownWords.filter((word) => text.includes(word));
    return [...named, ...belongings().filter((word) => answered.includes(word))];
  };

  it.each([
    'a stranger',
    'an administrator',
    'a key without READ',
    'an expired key',
    'a revoked key',
    'nobody',
  ])('gives %s nothing of it: every query', async (name) => {
    const headers = await others[name]!();
    for (const [operation, query] of operationsOf(schema.getQueryType()!, 3)) {
      expect(leaksIn(await ask(query, headers)), operation).toEqual([]);
    }
  });

  it.each([
    'a stranger',
    'an administrator',
    'a key without READ',
    'an expired key',
    'a revoked key',
    'nobody',
  ])('gives %s nothing of it: every mutation, filter, cursor and link', async (name) => {
    const headers = await others[name]!();
    const before = await snapshot();
    for (const field of Object.keys(schema.getMutationType()!.getFields())) {
      if (ofInstallation.has(field)) {
        const answer = await ask(`mutation { ${field} { __typename } }`, headers);
        expect(answer.errors.length, field).toBeGreaterThan(0);
        continue;
      }
      const input = inputs[field];
      if (input === undefined) throw new Error(`Expected the walk to know an input of ${field}`);
      if (namesNothing.has(field) || (name === 'a key without READ' && mayGenerate.has(field)))
        continue;
      const answer = await ask(`mutation { ${field}(input: ${input()}) { __typename } }`, headers);
      if (!mayDoNothing.has(field) || answer.status !== 200) {
        expect(answer.errors.length, field).toBeGreaterThan(0);
      }
      expect(leaksIn(answer), field).toEqual([]);
    }
    for (const filter of [
      `generations(filter: { clientReference: "${reference}" })`,
      `generations(filter: { search: "${secretPrompt}" })`,
      `assets(filter: { search: "${secretPrompt}" })`,
      `assets(projectId: "${own.project}")`,
      `generations(projectId: "${own.project}")`,
      `projects(filter: { search: "owner-project" })`,
      `assets(filter: { tagsAny: ["owner-tag"], favorite: true })`,
      `assets(filter: { derivedFrom: "${own.asset}" })`,
      `assets(filter: { search: "owner" }, orderBy: { field: RELEVANCE })`,
      `assets(after: "${own.page}")`,
      `assets(before: "${own.page}")`,
    ]) {
      const answer = await ask(`{ ${filter} { totalCount nodes { id } } }`, headers);
      const [list] = Object.values(answer.data ?? {}) as { totalCount: number }[];
      expect(list?.totalCount ?? 0, filter).toBe(0);
    }
    const counts = await ask(
      `{ tags(projectId: "${own.project}") { tag } assetTimeline(projectId: "${own.project}") { count }
        assetFacets(projectId: "${own.project}") { total models { value } tags { value } } }`,
      headers,
    );
    const nothing = { total: 0, models: [], tags: [] };
    expect(counts.data ?? null).toEqual(
      counts.errors.length > 0 ? null : { tags: [], assetTimeline: [], assetFacets: nothing },
    );
    expect(await snapshot()).toEqual(before);
  });

  it.each([
    'a stranger',
    'an administrator',
    'a key without READ',
    'an expired key',
    'a revoked key',
    'nobody',
  ])('gives %s nothing of it: every subscription', async (name) => {
    const { authorization } = (await others[name]!()) as Partial<Headers>;
    for (const field of Object.keys(schema.getSubscriptionType()!.getFields())) {
      const texts = subscriptions[field]?.();
      if (texts === undefined) throw new Error(`Expected the walk to know arguments of ${field}`);
      for (const args of texts) {
        const events = await firstEvents(
          `subscription { ${field}${args} ${selectionOf(schema.getType('Event')!, 2)} }`,
          authorization,
        );
        expect(
          belongings().filter((word) => events.includes(word)),
          `${field}${args}`,
        ).toEqual([]);
      }
    }
  });

  it('gives the owner events of every subscription', async () => {
    for (const field of Object.keys(schema.getSubscriptionType()!.getFields())) {
      const [args] = subscriptions[field]!();
      const query = `subscription { ${field}${args} ${selectionOf(schema.getType('Event')!, 2)} }`;
      expect(await firstEvents(query, owner.authorization), field).toContain(own.generation);
    }
  });

  it('gives links that end with the key that they were given to', async () => {
    const { client } = server.app.database;
    const user = await client.user.findFirstOrThrow({
      where: { generations: { some: { prompt: secretPrompt } } },
    });
    const key = await makeKey(client, user);
    const { data } = await ask(`{ asset(id: "${own.asset}") { url } }`, key.bearer);
    expect((await fetch(data.asset.url)).status).toBe(200);
    await client.apiKey.update({ where: { id: key.keyId }, data: { revokedAt: new Date() } });
    expect((await fetch(data.asset.url)).status).toBe(404);
    const altered = data.asset.url.replace(key.keyId, '00000000-0000-7000-8000-000000000000');
    expect((await fetch(altered)).status).toBe(403);
  });
});

const mayGenerate = new Set([
  ...['generate', 'cancelGeneration', 'cancelGenerations', 'setGenerationPriority'],
  'retryGeneration',
]);
/** Mutations whose input names nobody's objects. */
const namesNothing = new Set(['createProject', 'createApiKey', 'createPreset']);
/** Mutations of the installation, which an administrator may; they take no input. */
const ofInstallation = new Set(['pauseQueue', 'resumeQueue']);
/** Answers of others that change nothing, because nothing is theirs. */
const mayDoNothing = new Set(['cancelGenerations']);

/** Everybody else, with what they send. */
const others: Record<string, () => Promise<Partial<Headers>>> = {
  'a stranger': async () => (await makeKey(client(), await makeUser(client()))).bearer,
  'an administrator': async () =>
    (
      await makeKey(client(), await makeUser(client(), 'ADMIN'), {
        scopes: ['READ', 'GENERATE', 'WRITE'],
      })
    ).bearer,
  'a key without READ': async () =>
    (
      await makeKey(client(), await ownerRow(), {
        scopes: scopes.filter((scope) => scope === 'GENERATE'),
      })
    ).bearer,
  'an expired key': async () =>
    (await makeKey(client(), await ownerRow(), { expiresAt: new Date(Date.now() - 1) })).bearer,
  'a revoked key': async () => {
    const { bearer, keyId } = await makeKey(client(), await ownerRow());
    await client().apiKey.update({ where: { id: keyId }, data: { revokedAt: new Date() } });
    return bearer;
  },
  nobody: async () => ({}),
};
const client = () => server.app.database.client;
const ownerRow = () =>
  client().user.findFirstOrThrow({ where: { generations: { some: { prompt: secretPrompt } } } });

/** An input of each mutation that names what is the owner's. */
const inputs: Record<string, () => string> = {
  generate: () => `{ projectId: "${own.project}", settings: { prompt: "x" } }`,
  cancelGeneration: () => `{ id: "${own.generation}" }`,
  cancelGenerations: () => `{ ids: ["${own.generation}"] }`,
  setGenerationPriority: () => `{ id: "${own.generation}", priority: HIGH }`,
  retryGeneration: () => `{ id: "${own.failed}" }`,
  trashGenerations: () => `{ ids: ["${own.generation}"] }`,
  restoreGenerations: () => `{ ids: ["${own.generation}"] }`,
  deleteGenerations: () => `{ ids: ["${own.generation}"] }`,
  updateAssets: () => `{ ids: ["${own.asset}"], title: "stolen" }`,
  trashAssets: () => `{ ids: ["${own.asset}"] }`,
  restoreAssets: () => `{ ids: ["${own.asset}"] }`,
  deleteAssets: () => `{ ids: ["${own.asset}"] }`,
  updateProject: () => `{ id: "${own.project}", name: "stolen" }`,
  trashProject: () => `{ id: "${own.project}" }`,
  restoreProject: () => `{ id: "${own.project}" }`,
  deleteProject: () => `{ id: "${own.project}" }`,
  // A file comes in a body of its own: see `test/api/uploads.test.ts`.
  uploadAsset: () => `{ projectId: "${own.project}", file: "x" }`,
  createPreset: () => `{ name: "x", settings: { prompt: "x" } }`,
  deletePreset: () => `{ id: "${own.preset}" }`,
  createProject: () => `{ name: "x" }`,
  createApiKey: () => `{ name: "x", scopes: [READ] }`,
  revokeApiKey: () => `{ id: "${own.apiKey}" }`,
};
const subscriptions: Record<string, () => readonly string[]> = {
  generationEvents: () => [
    `(id: "${own.generation}")`,
    `(id: "${own.generation}", after: "${own.beginning}")`,
  ],
  projectEvents: () => [
    `(projectId: "${own.project}", after: "${own.beginning}")`,
    `(projectId: "${own.project}")`,
  ],
  viewerEvents: () => [`(after: "${own.beginning}")`, `(after: "${own.cursor}")`],
};

/** What the owner has, and how it stands. */
async function snapshot(): Promise<string> {
  const { id: ownerId } = await ownerRow();
  const where = { ownerId };
  return JSON.stringify(
    [
      await client().project.findMany({ where }),
      await client().generation.findMany({ where }),
      await client().asset.findMany({ where }),
      await client().preset.findMany({ where }),
      (await client().apiKey.findMany({ where: { ...where, name: { not: 'test' } } })).length,
    ],
    (_key, value) => (typeof value === 'bigint' ? String(value) : value),
  );
}

/** What comes over a WebSocket until it ends, or for a quarter of a second. */
async function firstEvents(query: string, authorization: string | undefined): Promise<string> {
  const connection = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  const got: unknown[] = [];
  const ended = new Promise<void>((resolve) => {
    connection.subscribe(
      { query },
      { next: ({ data }) => got.push(data), error: () => resolve(), complete: () => resolve() },
    );
  });
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 250))]);
  await connection.dispose();
  return JSON.stringify(got);
}
