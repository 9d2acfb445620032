import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  validate,
} from 'graphql';
import { CloseCode, handleProtocols, makeServer, type Context as SocketContext } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { DomainError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import { mapError, statusOf } from './error-mapping.ts';
import type { MakeContext } from './graphql.ts';
import { checkComplexity, requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import { checkOrigin, type OriginRules } from './origin.ts';
import { newRequestId } from './request-scope.ts';

export type Sockets = {
  /** Open WebSockets, and operations that run over them. */
  readonly counts: { readonly sockets: number; readonly operations: number };
  /** Every client is told to come back; those that do not answer are cut off after `withinMs`. */
  close(withinMs: number): Promise<void>;
};

export type SocketDeps = {
  readonly schema: GraphQLSchema;
  readonly rules: OriginRules;
  readonly log: Log;
  readonly context: MakeContext;
};

/** "Service Restart": clients of graphql-ws connect again. */
const serviceRestart = 1012;
const keepAliveMs = 12_000;

type Extra = {
  readonly host: string;
  /**
   * Each until it has truly ended, also where the client has completed it. By the payload that began it: the
   * client's id for it may come again.
   */
  readonly operations: Map<object, Operation>;
};
type Connection = SocketContext<Record<string, unknown>, Extra>;
type Operation = {
  readonly id: string;
  readonly connection: Connection;
  readonly controller: AbortController;
};
type Payload = {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
};

/** GraphQL over WebSocket (the protocol `graphql-transport-ws`) at `/graphql` of `server`. */
export function openSockets(server: Server, deps: SocketDeps): Sockets {
  const protocol = makeServer<Record<string, unknown>, Extra>(protocolOptions(deps));
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: requestLimits.bodyBytes,
    clientTracking: true,
  });
  const extras = new Set<Extra>();
  let isClosing = false;

  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => socket.destroy()); // Gone before it was a WebSocket: nobody to tell.
    try {
      if (isClosing) throw new Stopping();
      if (request.url?.split('?', 1)[0] !== '/graphql') throw new NoSuchSocket(request.url ?? '');
      if (sockets.clients.size >= requestLimits.sockets) throw new TooManySockets();
      const { host } = checkOrigin(request, deps.rules);
      sockets.handleUpgrade(request, socket, head, (webSocket) => accept(webSocket, host));
    } catch (error) {
      refuse(request, socket, error, deps.log);
    }
  });

  function accept(socket: WebSocket, host: string): void {
    const extra: Extra = { host, operations: new Map() };
    extras.add(extra);
    const stopPinging = keepAlive(socket);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) =>
          socket.on('message', (message) => {
            take(String(message)).catch((error: unknown) => {
              // A message that the protocol does not know; anything else was answered further down.
              deps.log.debug({ err: error }, 'closed a WebSocket after a message');
              socket.close(CloseCode.BadRequest, 'Invalid message received');
            });
            abortCompleted(extra);
          }),
      },
      extra,
    );
    socket.on('error', () => socket.terminate()); // Oversized or broken frames: ws has closed already.
    socket.once('close', (code, reason) => {
      stopPinging();
      extras.delete(extra);
      for (const { controller } of extra.operations.values()) controller.abort();
      closed(code, String(reason)).catch((error: unknown) =>
        deps.log.error({ err: error }, 'closing a WebSocket failed'),
      );
    });
    if (isClosing) socket.close(serviceRestart, 'The server restarts: come back');
  }

  return {
    get counts() {
      const operations = [...extras].reduce((sum, extra) => sum + extra.operations.size, 0);
      return { sockets: sockets.clients.size, operations };
    },
    async close(withinMs) {
      isClosing = true;
      const open = [...sockets.clients];
      const gone = open.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const socket of open) socket.close(serviceRestart, 'The server restarts: come back');
      const timer = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, withinMs);
      await Promise.all(gone);
      clearTimeout(timer);
    },
  };
}

class Stopping extends DomainError {
  constructor() {
    super('RATE_LIMITED', 'Expected to take a connection, but the server stops: come back', {
      retryAfter: 5,
    });
  }
}

class TooManySockets extends DomainError {
  constructor() {
    const max = requestLimits.sockets;
    super('RATE_LIMITED', `Expected at most ${max} WebSockets, but all are taken`, { max });
  }
}

class NoSuchSocket extends DomainError {
  constructor(got: string) {
    super('NOT_FOUND', `Expected a WebSocket at /graphql, but got ${got.slice(0, 100)}`);
  }
}

class TooManyOperations extends DomainError {
  constructor() {
    const max = requestLimits.operationsPerSocket;
    super('RATE_LIMITED', `Expected at most ${max} operations of one WebSocket at once`, { max });
  }
}

class OperationEnding extends DomainError {
  constructor(id: string) {
    super(
      'BAD_REQUEST',
      `Expected an id of its own for each operation, but got "${id.slice(0, 100)}", whose operation has yet to end`,
    );
  }
}

class NoSuchOperation extends DomainError {
  constructor(name: string | null | undefined) {
    const got = name ? `"${name.slice(0, 100)}"` : 'no operationName';
    super('BAD_REQUEST', `Expected the name of one operation of the document, but got ${got}`);
  }
}

/** A client's `complete` takes the id away at once; a query or mutation hears of it by its signal alone. */
function abortCompleted({ operations }: Extra): void {
  for (const { id, connection, controller } of operations.values()) {
    if (!(id in connection.subscriptions)) controller.abort();
  }
}

/** The upgrade is answered in plain HTTP: a browser shows nothing of it, but a person with curl sees why. */
function refuse(request: IncomingMessage, socket: Duplex, error: unknown, log: Log): void {
  const mapped = mapError(error, { requestId: newRequestId(), log });
  const status = statusOf(mapped.extensions.code);
  const body = JSON.stringify({ errors: [mapped] });
  log.debug({ url: request.url, status }, mapped.message);
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    // Resolves also where it fails: the socket closes then, which ends what would send more.
    socket.send(text, () => resolve());
  });
}

/** A client that vanished without a word is found out, and its operations end. */
function keepAlive(socket: WebSocket): () => void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, keepAliveMs);
  return () => clearInterval(timer);
}

function protocolOptions({ schema, log, context }: SocketDeps) {
  const map = (errors: readonly unknown[], requestId: string) =>
    errors.map((error) => mapError(error, { requestId, log }));

  return {
    async onSubscribe(
      connection: Connection,
      id: string,
      payload: Payload,
    ): Promise<ExecutionArgs | readonly GraphQLError[]> {
      const requestId = newRequestId();
      const { operations, host } = connection.extra;
      try {
        // What graphql-ws says of the one that ends, the client would take for the end of the new one.
        const isTaken = [...operations.values()].some((operation) => operation.id === id);
        if (isTaken) throw new OperationEnding(id);
        if (operations.size >= requestLimits.operationsPerSocket) throw new TooManyOperations();
        const controller = new AbortController();
        operations.set(payload, { id, connection, controller });
        const document = parse(payload.query, { maxTokens: requestLimits.tokens });
        const errors = validate(schema, document);
        if (errors.length > 0) {
          operations.delete(payload);
          return errors.map((error) => withId(error, requestId, validation));
        }
        const { operationName, variables } = payload;
        if (!getOperationAST(document, operationName)) throw new NoSuchOperation(operationName);
        checkComplexity(document, { operationName, variables: variables ?? {} });
        const { signal } = controller;
        return {
          schema,
          document,
          operationName,
          variableValues: variables,
          contextValue: await context({ requestId, signal, host }),
        };
      } catch (error) {
        operations.delete(payload);
        const asGraphQL =
          error instanceof GraphQLError
            ? error
            : new GraphQLError('', { originalError: error instanceof Error ? error : undefined });
        return [withId(asGraphQL, requestId)];
      }
    },
    /** An iterator that waits inside cannot be ended from outside: its signal ends it. */
    onOperation(
      connection: Connection,
      _id: string,
      payload: Payload,
      _args: ExecutionArgs,
      result: unknown,
    ) {
      if (!isIterator(result)) return;
      return {
        next: () => result.next(),
        return: () => {
          connection.extra.operations.get(payload)?.controller.abort();
          return result.return();
        },
        throw: (error: unknown) => result.throw(error),
        [Symbol.asyncIterator]() {
          return this;
        },
        [Symbol.asyncDispose]: () => result.return(),
      } as AsyncGenerator<never, void, void>;
    },
    onNext(
      _connection: Connection,
      _id: string,
      _payload: unknown,
      args: ExecutionArgs,
      result: { errors?: readonly unknown[] },
    ) {
      if (!result.errors) return;
      const { requestId } = args.contextValue as Context;
      return { ...result, errors: map(result.errors, requestId) };
    },
    onError(
      { extra }: Connection,
      _id: string,
      payload: Payload,
      errors: readonly GraphQLError[],
    ): readonly GraphQLFormattedError[] {
      extra.operations.delete(payload);
      return errors.flatMap((error) =>
        map([error], (error.extensions['requestId'] as string | undefined) ?? newRequestId()),
      );
    },
    onComplete: ({ extra }: Connection, _id: string, payload: Payload) => {
      extra.operations.delete(payload);
    },
  };
}

const validation = { code: 'GRAPHQL_VALIDATION_FAILED' };

/** graphql-ws hands errors from one hook to another: the id travels inside. */
function withId(error: GraphQLError, requestId: string, extensions: object = {}): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    originalError: error.originalError,
    extensions: { ...extensions, ...error.extensions, requestId },
  });
}

function isIterator(value: unknown): value is AsyncGenerator<unknown, void, void> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
