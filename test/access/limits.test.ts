import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { StartError } from '../../src/errors.ts';
import { readAllowedDocuments } from '../../src/server/allowed-documents.ts';
import { makeKey, makeUser } from '../support/access.ts';
import { type GraphQLErrorBody, startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const who = '{ viewer { user { name } } }';
const introspection = '{ __schema { queryType { name } } }';
/** Nearly a name of the schema. */
const misspelled = '{ viewr { id } }';
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const folder = mkdtempSync(join(tmpdir(), 'easel-documents-'));
const file = join(folder, 'documents.json');

let server: TestServer;
beforeAll(async () => {
  const documents = [who, introspection, misspelled].map((text) => [hashOf(text), text]);
  writeFileSync(file, JSON.stringify(Object.fromEntries(documents)));
  server = await startTestServer({
    generate: createStepwise().generate,
    config: { isAccessRequired: true, rateLimit: 12, introspection: false, allowedDocuments: file },
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const newKey = async () =>
  (await makeKey(server.app.database.client, await makeUser(server.app.database.client))).bearer;

async function send(body: object, headers: Record<string, string>) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { response, body: JSON.parse(await response.text()) };
}

describe('a server that is limited to listed documents', () => {
  it('answers those, by text or by hash alone, and what they cost where it is asked for', async () => {
    const key = await newKey();
    const byText = await send({ query: who, extensions: { cost: true } }, key);
    expect(byText.body.data.viewer.user.name).toMatch(/^user-/);
    expect(byText.body.extensions.cost).toMatchObject({ depth: 3, fields: 3 });
    const persistedQuery = { version: 1, sha256Hash: hashOf(who) };
    const byHash = await send({ extensions: { persistedQuery } }, key);
    expect(byHash.body).toEqual({ data: byText.body.data });
  });

  it('refuses all others, over HTTP and WebSocket', async () => {
    const key = await newKey();
    const { response, body } = await send({ query: '{ __typename }' }, key);
    expect([response.status, body.errors[0].extensions.code]).toEqual([403, 'FORBIDDEN']);
    const url = `${server.url.replace('http', 'ws')}/graphql`;
    const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: key });
    const results = client.iterate({ query: '{ __typename }' });
    await expect(results.next()).rejects.toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    const introspected = client.iterate({ query: introspection });
    await expect(introspected.next()).rejects.toSatisfy((errors: GraphQLErrorBody[]) =>
      errors.every(({ extensions }) => extensions.code === 'GRAPHQL_VALIDATION_FAILED'),
    );
    await client.dispose();
  });

  it('does not show its schema where introspection is off', async () => {
    const { body } = await send({ query: introspection }, await newKey());
    expect(body.errors[0].extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('suggests no names there, over HTTP, WebSocket and Server-Sent Events', async () => {
    const key = await newKey();
    const overHttp = (await send({ query: misspelled }, key)).body.errors[0].message;
    const url = `${server.url.replace('http', 'ws')}/graphql`;
    const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: key });
    const overSocket = await client
      .iterate({ query: misspelled })
      .next()
      .catch((errors: GraphQLErrorBody[]) => errors[0]!.message);
    await client.dispose();
    const overEvents = await (
      await fetch(`${server.url}/graphql/stream`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...key },
        body: JSON.stringify({ query: misspelled }),
      })
    ).text();
    for (const text of [overHttp, overSocket, overEvents]) {
      expect(text).toContain('Cannot query field');
      expect(text).not.toContain('Did you mean');
    }
  });

  it.each([
    ['another hash', { [hashOf('a')]: 'b' }],
    ['no hashes', { first: '{ __typename }' }],
    ['a list', ['{ __typename }']],
  ])('does not start with a list of %s', (_name, documents) => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, JSON.stringify(documents));
    expect(() => readAllowedDocuments(path)).toThrow(StartError);
    expect(() => readAllowedDocuments(join(folder, 'none.json'))).toThrow(/does not exist/);
  });
});

describe('rates', () => {
  it('are limited for each key, with the time to wait, and no other key waits for it', async () => {
    const [key, other] = [await newKey(), await newKey()];
    const statuses: number[] = [];
    for (let i = 0; i < 14; i++) statuses.push((await send({ query: who }, key)).response.status);
    expect(statuses).toEqual([...Array(12).fill(200), 429, 429]);
    const { response, body } = await send({ query: who }, key);
    expect(body.errors[0].extensions).toMatchObject({ code: 'RATE_LIMITED', max: 12 });
    const seconds = Number(response.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect((await send({ query: who }, other)).response.status).toBe(200);
  });

  it('of failed sign-ins are limited for each address, which valid keys do not feel', async () => {
    const wrong = { authorization: `Bearer easel_${'x'.repeat(43)}` };
    const statuses = new Set<number>();
    for (let i = 0; i < 25; i++) statuses.add((await send({ query: who }, wrong)).response.status);
    expect([...statuses]).toEqual([401, 429]);
    const { headers } = (await send({ query: who }, wrong)).response;
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await send({ query: who }, await newKey())).response.status).toBe(200);
    const { client } = server.app.database;
    expect(await client.auditEntry.count({ where: { action: 'sign-in.fail' } })).toBeLessThan(25);
  });
});

describe('what is open to everybody', () => {
  it('is health, and metrics only from this machine itself', async () => {
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect((await fetch(`${server.url}/metrics`)).status).toBe(200);
    const forwarded = { 'x-forwarded-for': '203.0.113.7' };
    expect((await fetch(`${server.url}/metrics`, { headers: forwarded })).status).toBe(403);
  });

  it('has the headers that browsers hold it to', async () => {
    const { headers } = await fetch(`${server.url}/health`);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-powered-by')).toBeNull();
  });
});
