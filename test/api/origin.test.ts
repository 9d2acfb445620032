import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type LogLine, startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const devServer = 'http://localhost:5173';
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    generate: createStepwise().generate,
    config: { allowedOrigins: [devServer], allowedHosts: ['easel.example'] },
  });
});
afterAll(() => server.close());

const own = () => new URL(server.url);

describe('requests from web pages', () => {
  it.each([
    ['its own origin', () => ({ origin: `http://${own().host}` }), 200],
    ['a configured one', () => ({ origin: devServer }), 200],
    ['no origin: a program', () => ({}), 200],
    ['a foreign origin', () => ({ origin: 'https://evil.example' }), 403],
    ['another port of this machine', () => ({ origin: 'http://localhost:9999' }), 403],
    ['a page without an origin', () => ({ origin: 'null' }), 403],
    ['a name that is pointed here', () => ({ host: 'evil.example' }), 403],
    ['a configured name', () => ({ host: 'easel.example' }), 200],
    ['the loopback by name', () => ({ host: `localhost:${own().port}` }), 200],
  ])('are allowed or refused over HTTP: %s', async (_name, headers, status) => {
    expect(await statusOf('/graphql?query={__typename}', headers())).toBe(status);
    expect(await statusOf('/health', headers())).toBe(status);
  });

  it.each([
    ['its own origin', () => ({ origin: `http://${own().host}` }), 'open'],
    ['a configured one', () => ({ origin: devServer }), 'open'],
    ['no origin: a program', () => ({}), 'open'],
    ['a foreign origin', () => ({ origin: 'https://evil.example' }), 403],
    ['a name that is pointed here', () => ({ host: 'evil.example' }), 403],
  ])('are allowed or refused before a WebSocket opens: %s', async (_name, headers, outcome) => {
    expect(await upgrade('/graphql', headers())).toBe(outcome);
  });

  it('get 404 for a WebSocket at another path', async () => {
    expect(await upgrade('/elsewhere', {})).toBe(404);
  });

  it('from a configured origin pass the preflight', async () => {
    const preflight = await fetch(`${server.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin: devServer,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(devServer);
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/content-type/i);
    const answer = await server.post('{ __typename }', {}, { origin: devServer });
    expect(answer.data).toEqual({ __typename: 'Query' });
  });

  it.each([
    'content-type',
    'apollographql-client-name,apollographql-client-version,content-type',
    'sentry-trace,baggage,traceparent',
  ])('from a configured origin may send the headers that they announce: %s', async (names) => {
    const preflight = await fetch(`${server.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin: devServer,
        'access-control-request-method': 'POST',
        'access-control-request-headers': names,
      },
    });
    const allowed = (preflight.headers.get('access-control-allow-headers') ?? '').split(/, */);
    expect(allowed).toEqual(expect.arrayContaining(names.split(',')));
    expect(preflight.headers.get('access-control-allow-credentials')).toBe('true');
    expect(preflight.headers.get('vary')).toMatch(/access-control-request-headers/i);
  });

  it('from a configured origin may read the exposed headers', async () => {
    const answer = await fetch(`${server.url}/health`, { headers: { origin: devServer } });
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
    const exposed = (answer.headers.get('access-control-expose-headers') ?? '').split(/, */);
    expect(exposed).toEqual(
      expect.arrayContaining(['X-Request-Id', 'ETag', 'Content-Range', 'Retry-After']),
    );
  });

  it('from a foreign origin are refused in the preflight, without CORS headers', async () => {
    const preflight = await fetch(`${server.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://evil.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-any',
      },
    });
    expect(preflight.status).toBe(403);
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
    expect(preflight.headers.get('access-control-allow-headers')).toBeNull();
  });

  it('from a foreign origin are logged once per origin, with the name of ALLOWED_ORIGINS', async () => {
    const lines: LogLine[] = [];
    const watched = await startTestServer({
      generate: createStepwise().generate,
      onLog: (line) => lines.push(line),
    });
    try {
      for (const origin of ['https://one.example', 'https://one.example', 'https://two.example']) {
        await fetch(`${watched.url}/health`, { headers: { origin } });
      }
      const warnings = lines.map(({ msg }) => msg).filter((msg) => msg.includes('ALLOWED_ORIGINS'));
      expect(warnings.filter((msg) => msg.includes('https://one.example'))).toHaveLength(1);
      expect(warnings.filter((msg) => msg.includes('https://two.example'))).toHaveLength(1);
    } finally {
      await watched.close();
    }
  });
});

describe('queries by GET', () => {
  const path = '/graphql?query={__typename}';

  it('are answered without any header of ours, as urql and caches send them', async () => {
    expect(await statusOf(path, { host: own().host })).toBe(200);
    expect(await statusOf(path, { host: own().host, 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await statusOf(path, { host: own().host, 'sec-fetch-site': 'none' })).toBe(200);
  });

  it.each(['cross-site', 'same-site'])(
    'are refused from an element of a page that is %s',
    async (site) => {
      for (const mode of ['no-cors', 'navigate', 'cors']) {
        const headers = { host: own().host, 'sec-fetch-site': site, 'sec-fetch-mode': mode };
        expect(await statusOf(path, headers)).toBe(403);
      }
    },
  );

  it('are answered to an allowed origin, from whichever site', async () => {
    const headers = { host: own().host, origin: devServer, 'sec-fetch-site': 'cross-site' };
    expect(await statusOf(path, headers)).toBe(200);
  });

  it('are never mutations', async () => {
    const mutation = '/graphql?query=mutation{createProject(input:{name:"x"}){__typename}}';
    expect(await statusOf(mutation, { host: own().host })).toBe(405);
  });
});

/** `fetch` does not let a test set Host. */
function statusOf(path: string, headers: Record<string, string>): Promise<number | undefined> {
  const { hostname, port } = own();
  return new Promise((resolve, reject) => {
    httpRequest({ hostname, port, path: encodeURI(path), headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

function upgrade(path: string, headers: Record<string, string>): Promise<'open' | number> {
  const socket = new WebSocket(`ws://${own().host}${path}`, 'graphql-transport-ws', { headers });
  return new Promise((resolve) => {
    socket.once('open', () => {
      socket.close();
      resolve('open');
    });
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', () => {});
  });
}
