import { on, once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import { connectionLimits } from '../../src/server/limits.ts';
import { cutUnread } from '../../src/server/unread.ts';
import { draws } from '../services/support/stand-in-engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let server: TestServer;
const clients: (WebSocket | Socket)[] = [];
beforeAll(async () => {
  server = await startTestServer({ generate: draws() });
});
afterEach(() => {
  for (const client of clients.splice(0))
    'terminate' in client ? client.terminate() : client.destroy();
});
afterAll(() => server.close());

const large = getIntrospectionQuery(); // An answer of some 200 kB.

async function openSocket(): Promise<WebSocket> {
  const client = new WebSocket(
    `${server.url.replace('http', 'ws')}/graphql`,
    'graphql-transport-ws',
  );
  clients.push(client);
  await once(client, 'open');
  client.send('{"type":"connection_init"}');
  await once(client, 'message');
  return client;
}
const subscribe = (id: number, query: string) =>
  JSON.stringify({ id: String(id), type: 'subscribe', payload: { query } });

/** Operations that are executed over WebSockets now. */
async function operations(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^easel_websocket_operations (\d+)/m.exec(text)?.[1]);
}

test('over a WebSocket that is not read few operations are executed; read again, all are answered', async () => {
  const client = await openSocket();
  client.pause();
  const asked = 60;
  for (let id = 0; id < asked; id++) client.send(subscribe(id, large));
  let most = 0;
  for (let looks = 0; looks < 20; looks++) {
    most = Math.max(most, await operations());
    expect((await server.gql('{ __typename }')).__typename).toBe('Query'); // Another user is answered.
  }
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(connectionLimits.operationsAtOnce);
  const completed = new Promise<number>((resolve) => {
    let count = 0;
    client.on('message', (text) => {
      if (String(text).endsWith('"type":"complete"}') && ++count === asked) resolve(count);
    });
  });
  client.resume();
  expect(await completed).toBe(asked);
  expect(await operations()).toBe(0);
});

test('subscribing and completing at once, thousands of times, leaves nothing behind', async () => {
  const client = await openSocket();
  for (let id = 0; id < 3_000; id++) {
    client.send(subscribe(id, 'subscription { viewerEvents { __typename } }'));
    client.send(JSON.stringify({ id: String(id), type: 'complete' }));
  }
  client.send(subscribe(-1, '{ __typename }'));
  await heard(client, '"id":"-1","type":"complete"');
  await vi.waitFor(async () => expect(await operations()).toBe(0), { timeout: 10_000 });
});

/** Resolves when the client has got a message that contains `part`. */
async function heard(client: WebSocket, part: string): Promise<void> {
  for await (const [text] of on(client, 'message')) if (String(text).includes(part)) return;
}

test('a chain of operations is ended by completes that come while they wait for their turn', async () => {
  const client = await openSocket();
  client.pause();
  const ids = Array.from({ length: 40 }, (_, id) => id);
  for (const id of ids) client.send(subscribe(id, large));
  for (const id of ids) client.send(JSON.stringify({ id: String(id), type: 'complete' }));
  client.resume();
  await vi.waitFor(async () => expect(await operations()).toBe(0), { timeout: 10_000 });
  client.send(subscribe(99, '{ __typename }'));
  await heard(client, '"id":"99","type":"complete"');
});

const get =
  'GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nApollo-Require-Preflight: 1\r\n\r\n';

function pipeline(count: number): Socket {
  const { port, hostname } = new URL(server.url);
  const socket = connect({ port: Number(port), host: hostname });
  clients.push(socket);
  socket.write(get.repeat(count));
  return socket;
}

test('pipelined requests are answered in order, and too many of them cut off', async () => {
  const few = pipeline(40);
  let text = '';
  for await (const chunk of few) {
    text += chunk;
    if (text.split('HTTP/1.1 200').length > 40) break;
  }
  expect(text.split('"__typename":"Query"')).toHaveLength(41);
  const many = pipeline(5_000);
  many.on('error', () => {}).resume();
  await new Promise((resolve) => many.once('close', resolve));
  expect((await server.gql('{ __typename }')).__typename).toBe('Query');
});

test('another version of HTTP is refused', async () => {
  const { port, hostname } = new URL(server.url);
  for (const [version, status] of [
    ['0.9', 505],
    ['1.0', 200],
    ['1.1', 200],
  ]) {
    const socket = connect({ port: Number(port), host: hostname });
    clients.push(socket);
    socket.write(`GET /health HTTP/${version}\r\nHost: localhost\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  }
});

test('a connection whose client takes nothing for a while is ended; one that has taken all is not', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const http = createServer((_request, response) => void response.end(Buffer.alloc(30_000_000)));
  const stalled: Socket[] = [];
  const watch = cutUnread(http, (socket) => {
    stalled.push(socket);
    socket.destroy();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const open = async () => {
    const socket = connect((http.address() as AddressInfo).port, '127.0.0.1');
    clients.push(socket);
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'readable');
    return socket;
  };
  const [idle, reader] = [await open(), await open()];
  const closed = once(idle, 'close');
  let taken = 0;
  for await (const chunk of reader) {
    taken += chunk.length;
    if (taken > 30_000_000) break; // Which ends the connection.
  }
  const connections = () =>
    new Promise<number>((resolve) => http.getConnections((_error, count) => resolve(count)));
  while ((await connections()) > 1) await nextTurn();
  for (let elapsed = 0; elapsed <= connectionLimits.stalledMs; elapsed += 3_000) {
    vi.advanceTimersByTime(3_000);
  }
  vi.useRealTimers();
  idle.on('error', () => {}).resume();
  await closed;
  expect(stalled).toHaveLength(1);
  watch.stop();
  await new Promise((resolve) => http.close(resolve));
});
