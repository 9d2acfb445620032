import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, makeUser } from '../support/access.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
let owner: Awaited<ReturnType<typeof makeKey>>;
const engine = createStepwise();
beforeAll(async () => {
  server = await startTestServer({ generate: engine.generate, config: { isAccessRequired: true } });
  const { client } = server.app.database;
  owner = await makeKey(client, await makeUser(client));
}, 60_000);
afterAll(() => server.close());

const address = () => `${server.url}/graphql/stream`;

/** All that a stock client gets, until it ends or `count` have come. */
async function events(query: string, headers: Record<string, string>, count = 1_000) {
  const client = createClient({ url: address(), headers, retryAttempts: 0 });
  const got: unknown[] = [];
  try {
    for await (const event of client.iterate({ query })) {
      got.push(event);
      if (got.length === count) break;
    }
  } finally {
    client.dispose();
  }
  return got as {
    data?: Record<string, { __typename: string; cursor: string }>;
    errors?: { extensions: { code: string } }[];
  }[];
}

async function generate(): Promise<{ id: string; eventCursor: string }> {
  const query =
    'mutation { generate(input: { settings: { prompt: "x" } }) { generation { id eventCursor } } }';
  return (await server.post(query, {}, owner.bearer)).data.generate.generation;
}
const follow = (id: string, after = '') =>
  `subscription { generationEvents(id: "${id}"${after && `, after: "${after}"`}) { __typename cursor } }`;

describe('server-sent events', () => {
  it('bring the events of a subscription to a stock client, and go on from the same cursors', async () => {
    const { id } = await generate();
    await engine.started();
    const [first] = await events(follow(id), owner.bearer, 1);
    const { __typename, cursor } = first!.data!['generationEvents']!;
    expect(['GenerationProgress', 'GenerationQueued']).toContain(__typename);
    engine.release();
    const rest = await events(follow(id, cursor), owner.bearer);
    expect(rest.at(-1)!.data!['generationEvents']!.__typename).toBe('GenerationSucceeded');
  });

  it('answer queries and mutations, too', async () => {
    expect(await events('{ viewer { user { role } } }', owner.bearer)).toEqual([
      { data: { viewer: { user: { role: 'MEMBER' } } } },
    ]);
  });

  it.each([
    ['{ nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ viewer', 'GRAPHQL_PARSE_FAILED'],
    ['{ users { totalCount } }', 'FORBIDDEN'],
    [`{ ${'a'.repeat(1)} { ${'viewer { '.repeat(2)} id } } } }`, 'GRAPHQL_VALIDATION_FAILED'],
  ])('refuse %s with %s', async (query, code) => {
    const [answer] = await events(query, owner.bearer);
    expect(answer!.errors![0]!.extensions.code).toBe(code);
  });

  it('give others nothing, by the same answer as for what is not there', async () => {
    const { id } = await generate();
    const none = Buffer.from('Generation:00000000-0000-7000-8000-000000000000').toString(
      'base64url',
    );
    const { client } = server.app.database;
    const stranger = await makeKey(client, await makeUser(client));
    const codes = async (of: string, headers: Record<string, string>) =>
      (await events(follow(of), headers)).map(({ errors }) => errors?.[0]?.extensions.code);
    expect(await codes(id, stranger.bearer)).toEqual(['NOT_FOUND']);
    expect(await codes(none, stranger.bearer)).toEqual(['NOT_FOUND']);
    expect(await codes(id, {})).toEqual(['UNAUTHENTICATED']);
    const blind = await makeKey(
      client,
      await client.user.findFirstOrThrow({ where: { apiKeys: { some: { id: owner.keyId } } } }),
      { scopes: ['GENERATE'] },
    );
    expect(await codes(id, blind.bearer)).toEqual(['FORBIDDEN']);
  });

  it('end within a second when the key is revoked', async () => {
    const { client } = server.app.database;
    const { bearer, keyId } = await makeKey(client, await makeUser(client));
    const got = events('subscription { viewerEvents { __typename } }', bearer);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await client.apiKey.update({ where: { id: keyId }, data: { revokedAt: new Date() } });
    const began = performance.now();
    const last = (await got).at(-1);
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(last!.errors![0]!.extensions.code).toBe('UNAUTHENTICATED');
  });

  it('take POST alone, of no foreign page', async () => {
    const status = async (init: RequestInit) => (await fetch(address(), init)).status;
    expect(await status({ method: 'GET' })).toBe(405);
    const json = { 'content-type': 'application/json' };
    const body = '{"query":"{ __typename }"}';
    expect(
      await status({ method: 'POST', body, headers: { ...json, origin: 'https://evil.example' } }),
    ).toBe(403);
    expect(await status({ method: 'POST', body, headers: { 'content-type': 'text/plain' } })).toBe(
      415,
    );
    expect(
      await status({
        method: 'POST',
        body,
        headers: { ...json, 'x-graphql-event-stream-token': 'x' },
      }),
    ).toBe(400);
  });
});
