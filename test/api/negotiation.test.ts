import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
beforeAll(async () => {
  const engine = createStepwise();
  engine.release();
  server = await startTestServer({ generate: engine.generate });
});
afterAll(() => server.close());

const generate = 'mutation { generate(input: { settings: { prompt: "a boat" } }) { replayed } }';

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

/** A request with exactly these headers; `fetch` sets some of its own and forbids others. */
function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string | Buffer,
): Promise<Answer> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (bytes) => {
        text += bytes;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    request.on('error', reject);
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('the connection was upgraded'));
    });
    request.end(body);
  });
}

const post = (query: string, headers: Record<string, string> = {}) =>
  send(
    'POST',
    '/graphql',
    { 'content-type': 'application/json', ...headers },
    JSON.stringify({ query }),
  );

const firstError = (text: string) =>
  JSON.parse(text).errors[0] as { message: string; extensions: { code: string } };

async function countGenerations(): Promise<number> {
  return server.app.database.client.generation.count();
}

describe('the Accept header', () => {
  it.each(['image/png', 'text/html', 'application/json;q=0', 'application/xml, text/*;q=0.5'])(
    'is answered with 406 where it cannot be served, and the request has no effect: %s',
    async (accept) => {
      const before = await countGenerations();
      const { status, text } = await post(generate, { accept });
      expect(status).toBe(406);
      expect(firstError(text).extensions.code).toBe('BAD_REQUEST');
      expect(firstError(text).message).toContain('application/json');
      expect(await countGenerations()).toBe(before);
    },
  );

  it('is answered with 406 for a query by GET', async () => {
    const headers = { accept: 'image/png', 'apollo-require-preflight': '1' };
    const { status } = await send('GET', '/graphql?query=%7B__typename%7D', headers);
    expect(status).toBe(406);
  });

  it.each([
    ['none', {}],
    ['anything', { accept: '*/*' }],
    ['any application type', { accept: 'application/*' }],
    ['JSON', { accept: 'application/json' }],
    ['JSON in UTF-8', { accept: 'application/json; charset=utf-8' }],
    ['GraphQL responses first', { accept: 'application/graphql-response+json, application/json' }],
    ['a page or anything', { accept: 'text/html, */*;q=0.1' }],
  ])('is served where it accepts %s', async (_name, headers) => {
    const { status, text } = await post('{ __typename }', headers);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ data: { __typename: 'Query' } });
  });
});

describe('a request that offers another protocol', () => {
  const offer = {
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: 'h2c',
    'http2-settings': 'AAMAAABkAAQAAP__',
  };

  it('is answered as any other', async () => {
    expect((await send('GET', '/health', offer)).status).toBe(200);
    const { status, text } = await post('{ __typename }', offer);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ data: { __typename: 'Query' } });
  });

  it('is answered with the end of the connection, after which nothing is read', async () => {
    const { headers } = await send('GET', '/health', offer);
    expect(headers['connection']).toBe('close');
  });

  it('is refused where its origin is foreign', async () => {
    const { status } = await send('GET', '/health', { ...offer, origin: 'https://evil.example' });
    expect(status).toBe(403);
  });
});

describe('the path /graphql/', () => {
  it('is /graphql, for POST and for a WebSocket', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ query: '{ __typename }' });
    expect((await send('POST', '/graphql/', headers, body)).status).toBe(200);
    const socket = new WebSocket(
      `${server.url.replace('http', 'ws')}/graphql/`,
      'graphql-transport-ws',
    );
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.close();
  });
});

describe('the charset of a body', () => {
  const body = JSON.stringify({ query: '{ __typename }' });
  it.each(['utf-8', 'UTF-8', 'utf8', '"utf-8"'])('may be %s', async (charset) => {
    const headers = { 'content-type': `application/json; charset=${charset}` };
    expect((await send('POST', '/graphql', headers, body)).status).toBe(200);
  });

  it.each(['iso-8859-1', 'utf-16', 'x-unknown'])('may not be %s', async (charset) => {
    const headers = { 'content-type': `application/json; charset=${charset}` };
    const { status, text } = await send('POST', '/graphql', headers, body);
    expect(status).toBe(415);
    expect(firstError(text).extensions.code).toBe('BAD_REQUEST');
    expect(firstError(text).message).toContain('UTF-8');
  });
});

describe('a fault of the request', () => {
  it('is 400, not 500, where a query is too deep', async () => {
    const levels = 4_000;
    const query = `{ ${'a { '.repeat(levels)}b${' }'.repeat(levels)} }`;
    const { status, text } = await post(query);
    expect(status).toBe(400);
    expect(['GRAPHQL_PARSE_FAILED', 'QUERY_TOO_COMPLEX']).toContain(
      firstError(text).extensions.code,
    );
  });

  it('is 400 where a list or an object in an argument is too deep', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{a:', '}'],
    ] as const) {
      const value = `${open.repeat(2_000)}1${close.repeat(2_000)}`;
      const { status } = await post(`{ nodes(ids: ${value}) { id } }`);
      expect(status).toBe(400);
    }
  });

  it('names the WebSocket where a subscription came by POST', async () => {
    const { status, text } = await post('subscription { viewerEvents { __typename } }');
    expect(status).toBe(400);
    const { message, extensions } = firstError(text);
    expect(extensions.code).toBe('BAD_REQUEST');
    expect(message).toContain(`ws://${new URL(server.url).host}/graphql`);
    expect(message).toContain('graphql-transport-ws');
  });

  it('is 400 where an operation is too deep, too wide or costs too much', async () => {
    for (const query of [
      `{ projects { nodes ${'{ owner { id } assets { nodes { project '.repeat(7)} { id } ${'} } }'.repeat(7)} } }`,
      `{ ${Array.from({ length: 61 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
      '{ projects(first: 200) { nodes { generations(first: 200) { nodes { id status progress } } } } }',
    ]) {
      const { status, text } = await post(query);
      expect(status).toBe(400);
      expect(firstError(text).extensions.code).toBe('QUERY_TOO_COMPLEX');
    }
  });

  it.each([
    ['mutation', 'generate(input: { settings: { prompt: "a boat" } })'],
    ['subscription', 'viewerEvents'],
  ])('is 405 where a %s came by GET', async (kind, field) => {
    const query = encodeURIComponent(`${kind} { ${field} { __typename } }`);
    const headers = { accept: 'application/json', 'apollo-require-preflight': '1' };
    const { status, text } = await send('GET', `/graphql?query=${query}`, headers);
    expect(status).toBe(405);
    expect(firstError(text).extensions.code).toBe('BAD_REQUEST');
    if (kind === 'subscription') {
      expect(firstError(text).message).toContain(`ws://${new URL(server.url).host}/graphql`);
    }
  });

  it('names the WebSocket where a client asks for an event stream', async () => {
    const { status, text } = await post('{ __typename }', { accept: 'text/event-stream' });
    expect(status).toBe(406);
    expect(firstError(text).message).toContain(`ws://${new URL(server.url).host}/graphql`);
  });

  it.each(['text/plain', 'application/graphql', 'application/graphql+json', 'text/html', 'x/y'])(
    'is 415 where the body is %s',
    async (type) => {
      const { status, text } = await post('{ __typename }', {
        'content-type': type,
        'apollo-require-preflight': '1',
      });
      expect(status).toBe(415);
      expect(firstError(text).message).toContain(`but got the media type "${type}"`);
    },
  );

  it('is 400 where the body holds bytes that are not UTF-8', async () => {
    const body = Buffer.from('{"query":"{ __typename # \xe9\n }"}', 'latin1');
    const { status, text } = await send(
      'POST',
      '/graphql',
      { 'content-type': 'application/json' },
      body,
    );
    expect(status).toBe(400);
    expect(firstError(text).message).toBe('Expected a body in UTF-8, but got invalid bytes');
  });
});
