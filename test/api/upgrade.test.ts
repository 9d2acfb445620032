import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ generate: createStepwise().generate });
});
afterAll(() => server.close());

/** Asks for a WebSocket, and keeps its own half of the connection open. */
function ask(path: string, headers: string[] = []) {
  const { hostname, port, host } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`;
  const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...upgrade, key, ...headers];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return socket;
}

async function answerOf(socket: Socket): Promise<string> {
  let answer = '';
  socket.on('data', (text) => {
    answer += text;
  });
  await once(socket, 'end');
  return answer;
}

it('answers a foreign origin with 403 whatever the path', async () => {
  const socket = ask('/elsewhere', ['Origin: https://evil.example']);
  expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 403 /);
  socket.destroy();
});

it('closes the connection of a refused client that keeps its half open', async () => {
  const socket = ask('/elsewhere');
  socket.on('error', () => {});
  expect(await answerOf(socket)).toMatch(/^HTTP\/1.1 404 .*NOT_FOUND/s);
  // Where nobody has it any more, the system refuses what is written to it.
  const isRefused = () => {
    socket.write('still here');
    return socket.destroyed;
  };
  await vi.waitUntil(isRefused, { timeout: 10_000 });
});
