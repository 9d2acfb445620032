import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { connectionLimits } from './limits.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Answers the requests of one connection one after the other: the next is begun when the one before it has been taken by the
 * client, as far as the system's own buffer. HTTP/1.1 sends answers in that order anyway, so that a client that
 * pipelines without reading would only have them computed and kept. One that has too many requests waiting is cut off.
 */
export function inTurn(handle: Handle): Handle {
  const turns = new WeakMap<Socket, { waiting: number; last: Promise<void> }>();
  return (request, response) => {
    const { socket } = request;
    const turn = turns.get(socket);
    const done = new Promise<void>((resolve) => response.once('close', resolve));
    if (turn === undefined) {
      turns.set(socket, { waiting: 0, last: done });
      return handle(request, response);
    }
    const before = turn.last;
    turn.last = done;
    turn.waiting++;
    if (turn.waiting > connectionLimits.pipelinedRequests) return void socket.destroy();
    void before.then(() => {
      turn.waiting--;
      if (!socket.destroyed) handle(request, response);
    });
  };
}

/** Called for a connection whose client takes too little, though bytes wait for it. */
export type OnStalled = (socket: Socket) => void;

type State = { taken: number; sinceMs: number };

/**
 * Ends connections whose client does not read. Counted are the bytes that wait for a connection, whatever they are: answers,
 * events, pongs. One that takes next to nothing is ended after a time; where too much waits for all of them together, those
 * that have taken nothing for longest. `onStalled` may send a reason first; the connection is cut off after it.
 */
export function cutUnread(server: Server, onStalled: OnStalled): { stop(): void } {
  const { stalledMs, takenBytes, unreadTotalBytes } = connectionLimits;
  const open = new Map<Socket, State>();
  server.on('connection', (socket: Socket) => {
    open.set(socket, { taken: 0, sinceMs: performance.now() });
    socket.once('close', () => open.delete(socket));
  });
  const end = (socket: Socket) => {
    onStalled(socket);
    open.delete(socket);
  };
  const look = () => {
    const now = performance.now();
    for (const [socket, state] of open) {
      const taken = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || taken - state.taken >= takenBytes) {
        Object.assign(state, { taken, sinceMs: now });
      } else if (now - state.sinceMs >= stalledMs) end(socket);
    }
    let total = 0;
    for (const { writableLength } of open.keys()) total += writableLength;
    if (total <= unreadTotalBytes) return;
    const slowest = [...open]
      .filter(([{ writableLength }]) => writableLength > 0)
      .sort(([, a], [, b]) => a.sinceMs - b.sinceMs);
    for (const [socket] of slowest) {
      if (total <= unreadTotalBytes) break;
      total -= socket.writableLength;
      end(socket);
    }
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** In this time no more is computed than memory has room for. */
const lookEveryMs = 500;
