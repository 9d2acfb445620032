import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

/** What is not of the standard is not asked for here: who it is, and in which role. */
const who = '{ viewer { user { name role } } }';
const audience = 'https://easel.example';
const roleClaim = 'realm_access.roles';
const adminRoles = ['easel-admin'];

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function startEasel(oidc: { issuer: string; jwksUrl?: string }): Promise<TestServer> {
  const engine = createStepwise();
  return startTestServer({
    generate: engine.generate,
    config: {
      isAccessRequired: true,
      oidc: { jwksUrl: undefined, ...oidc, audience, roleClaim, adminRoles },
    },
  });
}

describe('tokens of a real identity provider', () => {
  let issuer: string;
  let provider: Server;
  let easel: TestServer;
  let roles: string[] = [];

  beforeAll(async () => {
    provider = createServer();
    issuer = await listening(provider);
    const oidc = new Provider(issuer, {
      clients: [
        {
          ...{ client_id: 'web', client_secret: 'secret', grant_types: ['client_credentials'] },
          ...{ redirect_uris: [], response_types: [] },
        },
      ],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: async () => ({ scope: '', audience, accessTokenFormat: 'jwt' }),
        },
      },
      extraTokenClaims: async () => ({ realm_access: { roles }, preferred_username: 'ada' }),
    });
    provider.on('request', oidc.callback());
    easel = await startEasel({ issuer });
  });
  afterAll(async () => {
    await easel.close();
    provider.closeAllConnections();
    provider.close();
  });

  async function token(resource = audience): Promise<string> {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('web:secret')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
    });
    const { access_token: text } = (await response.json()) as { access_token: string };
    return text;
  }

  it('make a user at their first use, and give it the role of their claim', async () => {
    const [first, second] = await Promise.all([token(), token()]);
    const answers = await Promise.all(
      [first, second].map((text) => easel.post(who, {}, { authorization: `Bearer ${text}` })),
    );
    for (const { data } of answers) {
      expect(data.viewer.user).toEqual({ name: 'ada', role: 'MEMBER' });
    }
    roles = ['user', 'easel-admin'];
    const { data } = await easel.post(who, {}, { authorization: `Bearer ${await token()}` });
    expect(data.viewer.user).toEqual({ name: 'ada', role: 'ADMIN' });
    const { client } = easel.app.database;
    expect(await client.user.count({ where: { subject: { not: null } } })).toBe(1);
    expect(await client.auditEntry.count({ where: { action: 'user.role' } })).toBe(1);
  });

  it('of a user that was removed are refused', async () => {
    const { client } = easel.app.database;
    const removed = { removedAt: new Date() };
    await client.user.updateMany({ where: { subject: { not: null } }, data: removed });
    const answer = await easel.post(who, {}, { authorization: `Bearer ${await token()}` });
    expect(answer.errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });
});

describe('a token', () => {
  let keys: Server;
  let issuer: string;
  let easel: TestServer;
  let isAway = false;
  let signing: Awaited<ReturnType<typeof generateKeyPair>>;

  beforeAll(async () => {
    signing = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(signing.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
    keys = createServer((_request, response) => {
      if (isAway) response.writeHead(500).end();
      else
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
    });
    issuer = await listening(keys);
    easel = await startEasel({ issuer, jwksUrl: `${issuer}/keys` });
  });
  afterAll(async () => {
    await easel.close();
    keys.closeAllConnections();
    keys.close();
  });

  const now = () => Math.floor(Date.now() / 1000);
  const claims = (): JWTPayload => ({ iss: issuer, aud: audience, sub: 'u1', exp: now() + 60 });
  const sign = (payload: JWTPayload, header = { alg: 'RS256', kid: 'k1' }) =>
    new SignJWT(payload).setProtectedHeader(header).sign(signing.privateKey);
  const ask = (text: string) => easel.post(who, {}, { authorization: `Bearer ${text}` });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

  it('is accepted with what OpenID Connect asks for, also a few seconds after its end', async () => {
    expect((await ask(await sign(claims()))).status).toBe(200);
    expect((await ask(await sign({ ...claims(), exp: now() - 10 }))).status).toBe(200);
    expect((await ask(await sign({ ...claims(), aud: ['other', audience] }))).status).toBe(200);
  });

  it.each<[string, () => Promise<string>]>([
    ['of another issuer', () => sign({ ...claims(), iss: 'https://evil.example' })],
    ['for another program', () => sign({ ...claims(), aud: 'other' })],
    ['without an audience', () => sign({ ...claims(), aud: undefined })],
    ['that has expired', () => sign({ ...claims(), exp: now() - 120 })],
    ['that never expires', () => sign({ ...claims(), exp: undefined })],
    ['that is not valid yet', () => sign({ ...claims(), nbf: now() + 120 })],
    ['of nobody', () => sign({ ...claims(), sub: undefined })],
    ['without a signature', async () => `${encode({ alg: 'none' })}.${encode(claims())}.`],
    [
      'signed with the public key as a secret',
      async () => {
        const jwk = await exportJWK(signing.publicKey);
        return new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
          .sign(Buffer.from(JSON.stringify(jwk)));
      },
    ],
    [
      'of another key',
      async () => {
        const { privateKey } = await generateKeyPair('RS256');
        return new SignJWT(claims())
          .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
          .sign(privateKey);
      },
    ],
    [
      'that was altered',
      async () => {
        const [header, , signature] = (await sign(claims())).split('.');
        return `${header}.${encode({ ...claims(), sub: 'u2' })}.${signature}`;
      },
    ],
    ['that is none', async () => 'abc.def.ghi'],
  ])('is refused: %s', async (_name, make) => {
    const text = await make();
    const answer = await ask(text);
    expect([answer.status, answer.errors[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.text).not.toContain(text.split('.')[1]!.slice(0, 40));
  });

  it.each<[string, JWTPayload, { name: RegExp; role: string }]>([
    [
      'half a pair',
      { preferred_username: `${'a'.repeat(89)}😀😀` },
      { name: /^a{45}$/, role: 'MEMBER' },
    ],
    ['a NUL', { sub: 'a\0c', name: 'x\0y' }, { name: /^user [0-9a-f]{12}$/, role: 'MEMBER' }],
    [
      'nothing visible',
      { name: '\u3164', email: 'eve@example.com' },
      { name: /^eve@/, role: 'MEMBER' },
    ],
    ['another direction', { sub: 'd', name: 'ad\u202eda' }, { name: /^d$/, role: 'MEMBER' }],
    [
      'a list in a list',
      { sub: 'e', [roleClaim]: [['easel-admin']] },
      { name: /^e$/, role: 'MEMBER' },
    ],
    [
      'an object as role',
      { sub: 'f', realm_access: { roles: { toString: 1 } } },
      { name: /^f$/, role: 'MEMBER' },
    ],
    [
      'a claim whose name has dots',
      { sub: 'g', [roleClaim]: 'easel-admin' },
      { name: /^g$/, role: 'ADMIN' },
    ],
  ])(
    'with odd claims makes a user that people can name: %s',
    async (_name, odd, { name, role }) => {
      const { data } = await ask(await sign({ ...claims(), sub: `s-${Math.random()}`, ...odd }));
      expect(data.viewer.user.name).toMatch(name);
      expect(data.viewer.user.role).toBe(role);
    },
  );

  it('within the difference of clocks holds for what is open, too', async () => {
    const text = await sign({ ...claims(), sub: 'late', exp: now() - 5 });
    const query =
      '{ generations { totalCount nodes { id } } viewer { user { name } } projects { totalCount } }';
    for (let i = 0; i < 5; i++) {
      const answer = await easel.post(query, {}, { authorization: `Bearer ${text}` });
      expect(answer.errors).toEqual([]);
    }
  });

  it('whose key cannot be fetched is answered with "come again", and works later', async () => {
    isAway = true;
    const other = await startEasel({ issuer, jwksUrl: `${issuer}/keys` });
    const text = await sign(claims());
    const away = await other.post(who, {}, { authorization: `Bearer ${text}` });
    expect([away.status, away.errors[0]?.extensions.code]).toEqual([503, 'UNAVAILABLE']);
    isAway = false;
    // As it says: `retryAfter`, in seconds. Until then the provider is not asked for every token.
    const { retryAfter } = away.errors[0]!.extensions as unknown as { retryAfter: number };
    const again = async () =>
      (await other.post(who, {}, { authorization: `Bearer ${text}` })).status;
    await expect.poll(again, { timeout: retryAfter * 1_000, interval: 500 }).toBe(200);
    await other.close();
  });
});
