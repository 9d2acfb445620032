import type { Duplex } from 'node:stream';
import type { RequestHandler } from 'express';
import type { WebSocket } from 'ws';
import { DomainError } from '../errors.ts';
import { incomingLimits, requestLimits } from './limits.ts';

/** Room for bytes that clients have sent and that nothing has been made of yet: one for all clients together. */
export type IncomingRoom = {
  /** False where there is no more room; then nothing was taken. */
  take(bytes: number): boolean;
  give(bytes: number): void;
};

export function createIncomingRoom(): IncomingRoom {
  let taken = 0;
  return {
    take(bytes) {
      if (taken + bytes > incomingLimits.totalBytes) return false;
      taken += bytes;
      return true;
    },
    give(bytes) {
      taken -= bytes;
    },
  };
}

/**
 * Before a body is read: it is given room for as long as it is, or may become, and time to arrive. Small ones need none, so
 * that honest requests wait for nobody's. @throws DomainError RATE_LIMITED
 */
export function boundedBodies(room: IncomingRoom): RequestHandler {
  const { uncountedBytes, arrivalMs } = incomingLimits;
  return (request, response, next) => {
    const declared = request.headers['content-length'];
    const isChunked = request.headers['transfer-encoding'] !== undefined;
    const bytes = isChunked ? requestLimits.bodyBytes : Number(declared ?? 0);
    // Larger ones than are read at all are refused without being read.
    if (bytes <= uncountedBytes || bytes > requestLimits.bodyBytes) return next();
    if (!room.take(bytes)) {
      response.set('Connection', 'close');
      throw noRoom();
    }
    const late = setTimeout(() => request.socket.destroy(), arrivalMs);
    request.once('end', () => clearTimeout(late));
    response.once('close', () => {
      clearTimeout(late);
      room.give(bytes);
    });
    next();
  };
}

function noRoom(): DomainError {
  const { totalBytes } = incomingLimits;
  return new DomainError(
    'RATE_LIMITED',
    `Expected room for the body, but ${totalBytes} bytes of others arrive: send it again, or a smaller one`,
    { retryAfter: 1 },
  );
}

/** "Policy Violation" and "Try Again Later". */
const tooSlow = 1008;
const tryAgain = 1013;

/** What one WebSocket has sent: the message that arrives, and those that wait or are executed. */
export type SocketRoom = {
  /** Bytes of messages that have arrived and not ended. */
  setKept(bytes: number): void;
  close(): void;
};

/** Ends a WebSocket whose message takes too long to arrive, or for whose messages there is no room. */
export function trackIncoming(
  socket: WebSocket,
  connection: Duplex,
  room: IncomingRoom,
): SocketRoom {
  const { uncountedBytes, arrivalMs } = incomingLimits;
  let [arriving, kept, counted] = [0, 0, 0];
  let late: NodeJS.Timeout | null = null;

  const update = () => {
    const wanted = Math.max(0, arriving + kept - uncountedBytes);
    if (wanted <= counted) room.give(counted - wanted);
    else if (!room.take(wanted - counted)) {
      socket.close(tryAgain, 'Expected room for messages, but others have taken it');
      socket.pause(); // Nothing more of it is kept while it closes.
      setTimeout(() => connection.destroy(), 1_000).unref();
      return;
    }
    counted = wanted;
  };
  const arrived = () => {
    if (late !== null) clearTimeout(late);
    late = null;
    arriving = 0;
    update();
  };
  const endIfLate = () => {
    // While it is not read, the rest of the message cannot come.
    if (socket.isPaused) {
      late = setTimeout(endIfLate, arrivalMs);
      return;
    }
    socket.close(tooSlow, `Expected a message within ${arrivalMs / 1000} s`);
    setTimeout(() => connection.destroy(), 1_000).unref();
  };
  const receive = (chunk: Buffer) => {
    arriving += chunk.length;
    if (arriving <= uncountedBytes) return;
    late ??= setTimeout(endIfLate, arrivalMs);
    update();
  };
  connection.on('data', receive);
  for (const event of ['message', 'ping', 'pong']) socket.on(event, arrived);
  return {
    setKept(bytes) {
      kept = bytes;
      update();
    },
    close() {
      if (late !== null) clearTimeout(late);
      connection.off('data', receive);
      [arriving, kept] = [0, 0];
      update();
    },
  };
}
