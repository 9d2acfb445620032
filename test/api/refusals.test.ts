import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
beforeAll(async () => {
  const engine = createStepwise();
  engine.release();
  server = await startTestServer({ generate: engine.generate });
});
afterAll(() => server.close());

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const operation = (query: string, variables: string) =>
  `{"query":${JSON.stringify(query)},"variables":${variables}}`;

describe('a body that makes no sense', () => {
  it.each([
    ['a number', '5', 'BAD_REQUEST'],
    ['a batch', '[{"query":"{ __typename }"}]', 'BAD_REQUEST'],
    ['a query that is no text', '{"query":5}', 'BAD_REQUEST'],
    ['variables that are a list', '{"query":"{ __typename }","variables":[1]}', 'BAD_REQUEST'],
    [
      'an operation name that is an object',
      '{"query":"{ __typename }","operationName":{}}',
      'BAD_REQUEST',
    ],
    ['extensions that are a text', '{"query":"{ __typename }","extensions":"x"}', 'BAD_REQUEST'],
    ['a persisted query that is a number', '{"extensions":{"persistedQuery":5}}', 'BAD_REQUEST'],
    [
      'a persisted query of another version',
      '{"extensions":{"persistedQuery":{"version":2}}}',
      'BAD_REQUEST',
    ],
    [
      'a persisted query with another hash',
      '{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"0"}}}',
      'BAD_REQUEST',
    ],
    [
      'deep ids',
      operation('query ($v: [ID!]!) { nodes(ids: $v) { id } }', `{"v":${nested(100_000)}}`),
      'BAD_USER_INPUT',
    ],
    [
      'a deep time',
      operation(
        'query ($v: DateTime) { assets(filter: { createdAfter: $v }) { nodes { id } } }',
        `{"v":${nested(100_000)}}`,
      ),
      'BAD_USER_INPUT',
    ],
    [
      'a deep seed',
      operation(
        'mutation ($v: SettingsInput!) { generate(input: { settings: $v }) { replayed } }',
        `{"v":{"prompt":"a boat","seed":${nested(100_000)}}}`,
      ),
      'BAD_USER_INPUT',
    ],
    ['a long name', `{"query":"{ ${'a'.repeat(200_000)} }"}`, 'GRAPHQL_VALIDATION_FAILED'],
  ])('is refused with 400, a code and a short message: %s', async (_name, body, code) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(JSON.parse(text).errors[0].extensions.code).toBe(code);
    expect(text.length).toBeLessThan(5_000);
  });
});

describe('a request that is not well-formed HTTP', () => {
  const host = () => new URL(server.url).host;

  it.each<[string, () => string, RegExp?]>([
    [
      'two Host headers',
      () => `GET /health HTTP/1.1\r\nHost: ${host()}\r\nHost: evil.example\r\n\r\n`,
    ],
    ['no Host header', () => 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['no Host header, in HTTP/1.0', () => 'GET /health HTTP/1.0\r\n\r\n'],
    ['HTTP/0.9', () => 'GET /health\r\n\r\n', /^HTTP\/1\.1 505 /], // RFC 9110 §15.6.6
  ])('is refused: %s', async (_name, text, status = /^HTTP\/1\.1 40[03] /) => {
    expect(await statusOf(text())).toMatch(status);
  });

  it('is refused for a link with a second question mark', async () => {
    const query = `mutation { generate(input: { settings: { prompt: "a boat" }, waitSeconds: 60 }) {
      generation { images { url } } } }`;
    const { generate } = await server.gql(query);
    const [{ url }] = generate.generation.images;
    expect((await fetch(url)).status).toBe(200);
    for (const altered of [`${url}?width=64`, url.replace('?', '??')]) {
      expect((await fetch(altered)).status).toBe(403);
    }
  });

  function statusOf(text: string): Promise<string> {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.once('data', (bytes) => {
        resolve(String(bytes).split('\r\n', 1)[0] ?? '');
        socket.destroy();
      });
      socket.once('error', reject);
      socket.write(text);
    });
  }
});

describe('an answer', () => {
  it('is never read as another type than it says', async () => {
    for (const path of ['/health', '/graphql', '/nowhere', '/metrics']) {
      const response = await fetch(server.url + path, { headers: { accept: 'application/json' } });
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('with a file runs nothing when it is opened as a page', async () => {
    const { assets } = await server.gql('{ assets(first: 1) { nodes { url } } }');
    const response = await fetch(assets.nodes[0].url);
    expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});
