import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { toGlobalId } from '../../src/services/relay/global-id.ts';
import { makeKey, makeUser, member } from '../support/access.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const engine = createStepwise();
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    generate: engine.generate,
    config: { isAccessRequired: true, maxOpenWaits: 8, maxOpenWaitsPerUser: 2, maxImagesPerDay: 9 },
  });
});
afterAll(() => server.close());

const who = '{ viewer { user { name role } } }';
const client = () => server.app.database.client;
const code = (answer: { errors: { extensions: { code: string } }[] }) =>
  answer.errors[0]?.extensions.code;

describe('without a valid credential', () => {
  it.each([
    ['none', {}],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['no key of ours', { authorization: `Bearer easel_${'x'.repeat(43)}` }],
    ['a token, where no identity provider is configured', { authorization: 'Bearer a.b.c' }],
    ['two', { authorization: 'Bearer a, Bearer b' }],
  ])('nothing is answered: %s', async (_name, headers) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query: who }),
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /); // RFC 6750, 3
    const body = JSON.parse(await response.text());
    expect(body).not.toHaveProperty('data.viewer');
    expect(code(body)).toBe('UNAUTHENTICATED');
  });

  it('the page of GraphiQL is shown, and says nothing by itself', async () => {
    const page = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
  });
});

describe('a key', () => {
  it('is its user, until it is revoked', async () => {
    const user = await makeUser(client());
    const { bearer, keyId } = await makeKey(client(), user);
    const before = await server.post(who, {}, bearer);
    expect(before.data.viewer.user).toEqual({ name: user.name, role: 'MEMBER' });
    const input = { id: toGlobalId('ApiKey', keyId) };
    const revoke =
      'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { revokedApiKeyId } }';
    const revoked = await server.post(revoke, { input }, bearer);
    expect(revoked.data.revokeApiKey.revokedApiKeyId).toBe(input.id);
    const after = await server.post(who, {}, bearer);
    expect([after.status, code(after)]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('ends when it expires, and when its user is removed', async () => {
    const user = await makeUser(client());
    const old = await makeKey(client(), user, { expiresAt: new Date(Date.now() - 1000) });
    expect(code(await server.post(who, {}, old.bearer))).toBe('UNAUTHENTICATED');
    const current = await makeKey(client(), user);
    await client().user.update({ where: { id: user.id }, data: { removedAt: new Date() } });
    expect(code(await server.post(who, {}, current.bearer))).toBe('UNAUTHENTICATED');
  });

  it('is shown once, stored as its hash alone, and its use is written down', async () => {
    const { bearer } = await makeKey(client(), await makeUser(client()));
    const input = { name: 'web', scopes: ['READ'] };
    const { data } = await server.post(create, { input }, bearer);
    const { secret, apiKey } = data.createApiKey;
    expect(secret).toMatch(/^easel_[\w-]{43}$/);
    expect(secret.startsWith(apiKey.prefix)).toBe(true);
    const rows = JSON.stringify([
      await client().apiKey.findMany(),
      await client().auditEntry.findMany(),
    ]);
    expect(rows).not.toContain(secret);
    await server.post(who, {}, { authorization: `Bearer ${secret}` });
    const id = Buffer.from(apiKey.id, 'base64url').toString().split(':')[1];
    await expect
      .poll(async () => (await client().apiKey.findUnique({ where: { id } }))?.lastUsedAt)
      .toBeInstanceOf(Date);
  });

  it('makes keys within its own scopes and its own time only, which end with it', async () => {
    const user = await makeUser(client());
    const expiresAt = new Date(Date.now() + 60_000);
    const { bearer, keyId } = await makeKey(client(), user, {
      scopes: ['READ', 'WRITE'],
      expiresAt,
    });
    const make = (input: object) => server.post(create, { input: { name: 'k', ...input } }, bearer);
    for (const beyond of [
      { scopes: ['READ', 'GENERATE'] },
      { scopes: ['ADMIN'] },
      { scopes: [] },
      { scopes: ['READ'], expiresAt: new Date(Date.now() + 3_600_000) },
      { scopes: ['READ'], expiresAt: '2020-01-01T00:00:00Z' },
      { scopes: ['READ'], name: ' ' },
    ]) {
      expect((await make(beyond)).errors[0]?.extensions['path']).toBeDefined();
    }
    const { data } = await make({ scopes: ['READ'] });
    expect(new Date(data.createApiKey.apiKey.expiresAt)).toEqual(expiresAt);
    const made = { authorization: `Bearer ${data.createApiKey.secret}` };
    expect((await server.post(who, {}, made)).errors).toEqual([]);
    const revoke = `mutation { revokeApiKey(input: { id: "${toGlobalId('ApiKey', keyId)}" }) { revokedApiKeyId } }`;
    await server.post(revoke, {}, bearer);
    expect(code(await server.post(who, {}, made))).toBe('UNAUTHENTICATED');
  });

  it('makes no further one while it is revoked', async () => {
    const user = await makeUser(client());
    const { bearer, keyId } = await makeKey(client(), user);
    const many = Array.from(
      { length: 30 },
      (_, i) => `a${i}: createApiKey(input: { name: "k", scopes: [READ] }) { secret }`,
    );
    const making = server.post(`mutation { ${many.join(' ')} }`, {}, bearer);
    await expect
      .poll(() => client().apiKey.count({ where: { createdById: keyId } }))
      .toBeGreaterThan(0);
    const other = await makeKey(client(), user);
    const revoke = `mutation { revokeApiKey(input: { id: "${toGlobalId('ApiKey', keyId)}" }) { revokedApiKeyId } }`;
    expect((await server.post(revoke, {}, other.bearer)).errors).toEqual([]);
    await making;
    const left = await client().apiKey.count({ where: { createdById: keyId, revokedAt: null } });
    expect(left).toBe(0);
  });

  it('of a member never has the scope ADMIN, whatever its row says', async () => {
    const { bearer } = await makeKey(client(), await makeUser(client()), {
      scopes: ['ADMIN', 'READ'],
    });
    const users = await server.post('{ users { totalCount } }', {}, bearer);
    expect([users.status, code(users)]).toEqual([403, 'FORBIDDEN']);
  });
});

const create =
  'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id prefix expiresAt } } }';
const generate = (more = '') =>
  `mutation { generate(input: { settings: { prompt: "a boat"${more} } }) { replayed } }`;

describe('a scope', () => {
  it('that lacks refuses the whole operation, before anything of it has an effect', async () => {
    const user = await makeUser(client());
    const { bearer } = await makeKey(client(), user, { scopes: ['READ', 'GENERATE'] });
    const both =
      'mutation { generate(input: { settings: { prompt: "a boat" } }) { replayed } createProject(input: { name: "x" }) { project { id } } }';
    const answer = await server.post(both, {}, bearer);
    expect([answer.status, code(answer)]).toEqual([403, 'FORBIDDEN']);
    expect(answer.errors[0]?.message).toContain('WRITE');
    expect(await client().generation.count({ where: { ownerId: user.id } })).toBe(0);
  });

  it('is asked for in fragments, and only of the operation that is executed', async () => {
    const { bearer } = await makeKey(client(), await makeUser(client()), { scopes: ['GENERATE'] });
    const hidden = await server.post(
      'query A { ...F } fragment F on Query { ... on Query { viewer { id: eventCursor } } }',
      {},
      bearer,
    );
    expect(code(hidden)).toBe('FORBIDDEN');
    const allowed = await server.post(generate(), {}, bearer);
    expect(allowed.data).toEqual({ generate: { replayed: false } });
  });
});

describe('what is open', () => {
  /** Resolves with the code of the close. */
  async function openSocket(authorization: string | undefined) {
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}/graphql`,
      'graphql-transport-ws',
    );
    onTestFinished(() => socket.terminate());
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('open', resolve));
    const acknowledged = new Promise((resolve) => socket.once('message', resolve));
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
    return { closed, acknowledged, socket };
  }

  it.each([undefined, 'Bearer easel_no'])('is not opened with %s', async (authorization) => {
    expect(await (await openSocket(authorization)).closed).toBe(4401);
  });

  it('ends within a second: 4401 after a key was revoked, 4403 after its user has another role', async () => {
    const user = await makeUser(client());
    const [first, second] = [await makeKey(client(), user), await makeKey(client(), user)];
    const [revoked, changed] = await Promise.all(
      [first, second].map(({ bearer }) => openSocket(bearer.authorization)),
    );
    await Promise.all([revoked!.acknowledged, changed!.acknowledged]);
    await client().apiKey.update({ where: { id: first.keyId }, data: { revokedAt: new Date() } });
    const at = performance.now();
    expect(await revoked!.closed).toBe(4401);
    expect(performance.now() - at).toBeLessThan(2_000); // A second is promised; this machine may be busy.
    await client().user.update({ where: { id: user.id }, data: { role: 'ADMIN' } });
    expect(await changed!.closed).toBe(4403);
  });

  it('ends at the time at which its key ends', async () => {
    const expiresAt = new Date(Date.now() + 1_500);
    const { bearer } = await makeKey(client(), await makeUser(client()), { expiresAt });
    const { acknowledged, closed } = await openSocket(bearer.authorization);
    await acknowledged;
    expect(await closed).toBe(4403);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt.getTime());
  });

  it('gives no more events, and a wait ends without its generation', async () => {
    const user = await makeUser(client());
    const { bearer, keyId } = await makeKey(client(), user);
    const connection = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: bearer,
      retryAttempts: 0,
    });
    onTestFinished(() => void connection.dispose());
    const events = connection.iterate({ query: 'subscription { viewerEvents { cursor at } }' });
    const drained = (async () => {
      for await (const _event of events);
    })().catch((error: { code: number }) => error.code);
    const waiting = server.post(
      'mutation { generate(input: { settings: { prompt: "a boat" }, waitSeconds: 60 }) { generation { id settings { prompt } } } }',
      {},
      bearer,
    );
    await expect.poll(() => client().generation.count({ where: { ownerId: user.id } })).toBe(1);
    await client().apiKey.update({ where: { id: keyId }, data: { revokedAt: new Date() } });
    const answer = await waiting;
    expect(answer.data.generate).toBeNull();
    expect(code(answer)).toBe('UNAUTHENTICATED');
    expect(await drained).toBe(4401);
  });

  it('is bounded for each user', async () => {
    const { bearer } = await makeKey(client(), await makeUser(client()));
    const wait =
      'mutation { generate(input: { settings: { prompt: "a boat" }, waitSeconds: 1 }) { replayed } }';
    const answers = await Promise.all([1, 2, 3].map(() => server.post(wait, {}, bearer)));
    expect(answers.map((answer) => code(answer) ?? 'ok').sort()).toEqual([
      'RATE_LIMITED',
      'ok',
      'ok',
    ]);
  });
});

describe('quotas', () => {
  it('refuse what is beyond, say what is left, and count each user for itself', async () => {
    const { bearer } = await makeKey(client(), await makeUser(client()));
    expect((await server.post(generate(', count: 8'), {}, bearer)).errors).toEqual([]);
    const beyond = await server.post(generate(', count: 2'), {}, bearer);
    expect(code(beyond)).toBe('QUOTA_EXCEEDED');
    expect(beyond.errors[0]?.extensions).toMatchObject({ max: 9, got: 10 });
    const { data } = await server.post(
      '{ viewer { limits { maxImagesPerDay imagesToday queued } } }',
      {},
      bearer,
    );
    expect(data.viewer.limits).toMatchObject({ maxImagesPerDay: 9, imagesToday: 8 });
    const other = await makeKey(client(), await makeUser(client()));
    expect((await server.post(generate(), {}, other.bearer)).errors).toEqual([]);
  });
});

describe('the audit', () => {
  it('says who did what, and holds no secret and no prompt', async () => {
    const admin = await makeKey(client(), await makeUser(client(), 'ADMIN'));
    const { data } = await server.post(
      create,
      { input: { name: 'audited', scopes: member } },
      admin.bearer,
    );
    await server.post(generate(), {}, admin.bearer);
    const query =
      '{ auditEntries(first: 200) { nodes { action details address apiKeyId actor { name } } } }';
    const { data: audit } = await server.post(query, {}, admin.bearer);
    const entry = audit.auditEntries.nodes.find((node: { details: string }) =>
      node.details.includes('audited'),
    );
    expect(entry).toMatchObject({ action: 'key.create', apiKeyId: admin.keyId });
    expect(entry.address).toMatch(/127\.0\.0\.1|::1/);
    expect(JSON.stringify(audit)).not.toContain(data.createApiKey.secret);
    expect(JSON.stringify(audit)).not.toContain('a boat');
    const failed = audit.auditEntries.nodes.map((node: { action: string }) => node.action);
    expect(failed).toContain('sign-in.fail');
  });
});
