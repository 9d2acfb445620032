import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { incomingLimits, requestLimits } from '../../src/server/limits.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ generate: createStepwise().generate });
});
afterAll(() => server.close());

const repeat = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(' ');

describe('a document that would take long to validate', () => {
  const documents: [string, string][] = [
    ['one field over and over', `{ ${repeat(700, () => 'viewer { user { id } }')} }`],
    [
      'deep fields over and over',
      `{ ${repeat(300, () => 'viewer { defaultProject { generations { nodes { id } } } }')} }`,
    ],
    [
      'many inline fragments',
      `{ viewer { ${repeat(550, () => '... on Viewer { user { id } }')} } }`,
    ],
    [
      'a chain of fragments',
      `{ ...F0 } ${repeat(350, (i) => `fragment F${i} on Query { viewer { id: eventCursor } ...F${i + 1} }`)} fragment F350 on Query { __typename }`,
    ],
    [
      'many fragments in one selection',
      `{ ${repeat(300, (i) => `...F${i}`)} } ${repeat(300, (i) => `fragment F${i} on Query { viewer { eventCursor } }`)}`,
    ],
  ];

  it('asks for the schema once or twice', async () => {
    const many = `{ ${repeat(4, (i) => `a${i}: __schema { types { name } }`)} }`;
    expect((await server.post(many)).errors[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
    expect((await server.post(getIntrospectionQuery())).errors).toEqual([]);
  });

  it.each(documents)('is refused before it is validated: %s', async (_name, query) => {
    const answer = await server.post(query);
    expect([answer.status, answer.errors[0]?.extensions.code]).toEqual([400, 'QUERY_TOO_COMPLEX']);
    expect(answer.errors[0]?.extensions).toHaveProperty('max');
    const events = server.socketClient().iterate({ query });
    await expect(events.next()).rejects.toMatchObject([
      { extensions: { code: 'QUERY_TOO_COMPLEX' } },
    ]);
  });

  it('is none where a client merges what many parts of a page need', async () => {
    const parts = repeat(60, (i) => `fragment F${i} on Project { id name owner { id name } }`);
    const query = `{ viewer { defaultProject { ${repeat(60, (i) => `...F${i}`)} } } } ${parts}`;
    expect((await server.post(query)).errors).toEqual([]);
    const input =
      '{ generations(filter: { status: [QUEUED, QUEUED], kind: [INPAINT] }) { totalCount } }';
    expect((await server.post(input)).errors).toEqual([]);
  });
});

/** So many of the largest have no room together. */
const tooMany = Math.ceil((incomingLimits.totalBytes / requestLimits.bodyBytes) * 1.3);
const almostAll = requestLimits.bodyBytes - 100;

describe('what arrives and does not end', () => {
  it('is bounded for all requests together, and honest ones are answered meanwhile', async () => {
    const { hostname, port } = new URL(server.url);
    const answers: string[] = [];
    const sockets: Socket[] = [];
    for (let i = 0; i < tooMany; i++) {
      const socket = connect(Number(port), hostname);
      onTestFinished(() => void socket.destroy());
      socket.on('error', () => {});
      socket.on('data', (text) => answers.push(String(text).slice(0, 12)));
      socket.write(
        `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\nContent-Length: ${almostAll + 1}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(almostAll, ' '));
      sockets.push(socket);
    }
    await expect.poll(() => answers.length, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 429']));
    expect((await server.post('{ __typename }')).status).toBe(200);
    // Those that were given room are cut off when their time is over.
    const given = sockets.filter((socket) => !socket.destroyed);
    await Promise.all(given.map((socket) => (socket.closed ? null : once(socket, 'close'))));
    expect((await server.post('{ __typename }')).status).toBe(200);
  });

  it('is bounded for all WebSockets together, which are told so', async () => {
    const codes: number[] = [];
    const url = `${server.url.replace('http', 'ws')}/graphql`;
    const sockets = Array.from(
      { length: tooMany },
      () => new WebSocket(url, 'graphql-transport-ws'),
    );
    onTestFinished(() => {
      for (const socket of sockets) socket.terminate();
    });
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.on('close', (code) => codes.push(code));
    }
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    for (const socket of sockets) socket.send(' '.repeat(almostAll), { fin: false });
    await expect.poll(() => codes.includes(1013), { timeout: 20_000 }).toBe(true);
    const honest = server.socketClient().iterate({ query: '{ __typename }' });
    expect((await honest.next()).value).toEqual({ data: { __typename: 'Query' } });
  });

  it('is ended over a WebSocket when it takes too long', async () => {
    const url = `${server.url.replace('http', 'ws')}/graphql`;
    const socket = new WebSocket(url, 'graphql-transport-ws');
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init' }));
    socket.send(' '.repeat(100_000), { fin: false });
    const [code] = await once(socket, 'close');
    expect(code).toBe(1008);
  });

  it('is one large message of a WebSocket at a time, in its order, and pings are small', async () => {
    const url = `${server.url.replace('http', 'ws')}/graphql`;
    const socket = new WebSocket(url, 'graphql-transport-ws');
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    const got: string[] = [];
    socket.on('message', (text) => {
      const { type, id, payload } = JSON.parse(String(text));
      if (type === 'next') got.push(`${id} ${payload.data.__typename}`);
    });
    const send = (message: object) => socket.send(JSON.stringify(message));
    send({ type: 'connection_init' });
    await once(socket, 'message');
    for (const id of ['1', '2', '3']) {
      const variables = { unused: 'x'.repeat(id === '2' ? 10 : 300_000) };
      send({
        id,
        type: 'subscribe',
        payload: { query: '{ __typename }', variables },
      });
    }
    await expect.poll(() => got.length).toBe(3);
    expect([...got].sort()).toEqual(['1 Query', '2 Query', '3 Query']);
    send({ type: 'ping', payload: { text: 'x'.repeat(10_000) } });
    const [code] = await once(socket, 'close');
    expect(code).toBe(4400);
  });
});

test('clients that go at once leave all room to others', async () => {
  const { hostname, port } = new URL(server.url);
  const query = '{ generations(first: 200) { nodes { settings { prompt negativePrompt } } } }';
  const body = JSON.stringify({ query });
  const request = `POST /graphql HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  for (let round = 0; round < 20; round++) {
    const sockets = Array.from({ length: 10 }, () => connect(Number(port), hostname));
    await Promise.all(
      sockets.map(async (socket, i) => {
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.write(request);
        await delay(i);
        socket.resetAndDestroy();
      }),
    );
  }
  expect((await server.post(query)).errors).toEqual([]);
});
