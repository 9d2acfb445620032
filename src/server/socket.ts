import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { DomainError } from '../errors.ts';
import { mapError, statusOf } from './error-mapping.ts';
import type { GraphqlDeps } from './graphql.ts';
import { trackIncoming } from './incoming.ts';
import { connectionLimits, requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import type { CheckOrigin } from './origin.ts';
import { newRequestId } from './request-scope.ts';
import { createInbox, type Take } from './socket-inbox.ts';
import { abortCompleted, operationHooks, takeOne } from './socket-operations.ts';
import type { Extra } from './socket-state.ts';
import { createTurns } from './turns.ts';
import { cutUnread } from './unread.ts';

export type Sockets = {
  /** Open WebSockets, and operations that run over them. */
  readonly counts: { readonly sockets: number; readonly operations: number };
  /** Closes every connection with 1012 (Service Restart); those that do not answer are cut off after `withinMs`. */
  close(withinMs: number): Promise<void>;
};

export type SocketDeps = GraphqlDeps & { readonly checkOrigin: CheckOrigin };

/** "Service Restart": clients of graphql-ws connect again. */
const serviceRestart = 1012;
/** "Policy Violation": the client does not read. */
const notRead = 1008;
/** Time for that reason, in case the client reads after all. */
const reasonMs = 1_000;
const keepAliveMs = 12_000;

/** GraphQL over WebSocket (the protocol `graphql-transport-ws`) at `/graphql` of `server`. */
export function openSockets(server: Server, deps: SocketDeps): Sockets {
  const extras = new Set<Extra>();
  const socketsOf = (userId: string) =>
    [...extras].reduce((sum, extra) => sum + (extra.userId === userId ? 1 : 0), 0);
  const protocol = makeServer<Record<string, unknown>, Extra>(operationHooks(deps, socketsOf));
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: requestLimits.bodyBytes,
    clientTracking: true,
    autoPong: false,
  });
  const turns = createTurns();
  const byConnection = new WeakMap<Duplex, WebSocket>();
  const unread = cutUnread(server, (connection) => {
    const socket = byConnection.get(connection);
    socket?.close(notRead, 'Expected a client that reads its answers');
    setTimeout(() => connection.destroy(), socket ? reasonMs : 0).unref();
  });
  let isClosing = false;

  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => socket.destroy()); // The client has gone before the WebSocket was open.
    try {
      const { host } = deps.checkOrigin(request);
      const address = deps.addressOf(request);
      const { authorization } = request.headers;
      if (request.method !== 'GET') throw notByGet(request.method ?? '');
      if (isClosing) throw stopping();
      if (!/^\/graphql\/*(\?|$)/i.test(request.url ?? '')) throw noSuchSocket(request.url ?? '');
      if (sockets.clients.size >= requestLimits.sockets) throw tooManySockets();
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        byConnection.set(socket, webSocket);
        accept(webSocket, { host, address, authorization, connection: socket });
      });
    } catch (error) {
      refuse(request, socket, error, deps.log);
    }
  });

  function accept(
    socket: WebSocket,
    {
      connection,
      ...asked
    }: Pick<Extra, 'host' | 'address' | 'authorization'> & { connection: Duplex },
  ): void {
    const extra: Extra = {
      ...asked,
      userId: null,
      operations: new Map(),
      begun: null,
      end: (code, reason) => socket.close(code, bounded(reason)),
      leave: () => {},
      isClosed: false,
    };
    extras.add(extra);
    const incoming = trackIncoming(socket, connection, deps.incoming);
    const stopPinging = keepAlive(socket, connection);
    let close = () => {};
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage(receive) {
          const take: Take = async (text) => {
            try {
              await receive(text);
            } catch (error) {
              // A message that the protocol does not know; anything else was answered further down.
              deps.log.debug({ err: error }, 'closed a WebSocket after a message');
              socket.close(CloseCode.BadRequest, 'Invalid message received');
            }
          };
          const inbox = createInbox(socket, connection, {
            take: (text) => takeOne(extra, text, take),
            onBegin: (begun) => {
              extra.begun = begun;
            },
            onBytes: incoming.setKept,
            turns,
          });
          close = inbox.close;
          socket.on('message', (message) => {
            inbox.receive(String(message));
            abortCompleted(extra);
          });
        },
      },
      extra,
    );
    socket.on('error', () => socket.terminate()); // Oversized or broken frames: ws has closed already.
    socket.once('close', (code, reason) => {
      stopPinging();
      close();
      incoming.close();
      extra.isClosed = true;
      extra.leave();
      extras.delete(extra);
      for (const { controller } of extra.operations.values()) controller.abort();
      closed(code, String(reason)).catch((error: unknown) =>
        deps.log.error({ err: error }, 'closing a WebSocket failed'),
      );
    });
    if (isClosing) socket.close(serviceRestart, 'The server restarts: connect again');
  }

  return {
    get counts() {
      const operations = [...extras].reduce((sum, extra) => sum + extra.operations.size, 0);
      return { sockets: sockets.clients.size, operations };
    },
    async close(withinMs) {
      isClosing = true;
      unread.stop();
      const open = [...sockets.clients];
      const gone = open.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const socket of open) socket.close(serviceRestart, 'The server restarts: connect again');
      const timer = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, withinMs);
      await Promise.all(gone);
      clearTimeout(timer);
    },
  };
}

function stopping(): DomainError {
  return new DomainError(
    'RATE_LIMITED',
    'Expected a server that takes connections, but it is stopping: connect again',
    {
      retryAfter: 5,
    },
  );
}

function tooManySockets(): DomainError {
  const max = requestLimits.sockets;
  return new DomainError(
    'RATE_LIMITED',
    `Expected at most ${max} open WebSockets, but so many are open`,
    { max },
  );
}

/** RFC 6455, 4.1. */
function notByGet(got: string): DomainError {
  return new DomainError(
    'BAD_REQUEST',
    `Expected a WebSocket to be opened with GET, but got ${got}`,
  );
}

function noSuchSocket(got: string): DomainError {
  return new DomainError(
    'NOT_FOUND',
    `Expected a WebSocket at /graphql, but got ${got.slice(0, 100)}`,
  );
}

/** Answers the upgrade in plain HTTP. Browsers do not show the body, but curl does. */
function refuse(request: IncomingMessage, socket: Duplex, error: unknown, log: Log): void {
  const mapped = mapError(error, { requestId: newRequestId(), log });
  const status = statusOf(mapped.extensions.code);
  const body = JSON.stringify({ errors: [mapped] });
  log.debug({ url: request.url, status }, mapped.message);
  // Destroyed once it is written: a client that kept its half open would hold up the server's end.
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** RFC 6455, 5.5: a control frame holds 125 bytes, of which the code takes two. */
function bounded(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= 123 ? reason : `${bytes.subarray(0, 119).toString('latin1')}…`;
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    // Resolves also where it fails: the socket closes then, which ends what would send more.
    socket.send(text, () => resolve());
  });
}

/** Closes the connection of a client that no longer answers pings, which ends its operations. */
function keepAlive(socket: WebSocket, connection: Duplex): () => void {
  let isAlive = true;
  socket.on('ping', (data) => {
    if (connection.writableLength <= connectionLimits.unreadBytesForPongs) socket.pong(data);
  });
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (socket.isPaused) return; // Its pongs are not read either; whether it reads is seen elsewhere.
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, keepAliveMs);
  return () => clearInterval(timer);
}
