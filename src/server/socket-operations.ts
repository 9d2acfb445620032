import {
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
} from 'graphql';
import { DomainError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import type { Release } from './admission.ts';
import type { Cost } from './cost.ts';
import { mapError } from './error-mapping.ts';
import type { GraphqlDeps } from './graphql.ts';
import { requestLimits } from './limits.ts';
import { asksForCost } from './operation-checks.ts';
import { type Asked, createDocumentReader, isStream } from './read-document.ts';
import { newRequestId } from './request-scope.ts';
import { authenticateSocket } from './socket-access.ts';
import type { Take } from './socket-inbox.ts';
import type { Connection, Extra } from './socket-state.ts';

type Payload = Asked & { readonly extensions?: unknown };

function tooManyOperations(): DomainError {
  const max = requestLimits.operationsPerSocket;
  return new DomainError(
    'RATE_LIMITED',
    `Expected at most ${max} operations of one WebSocket at once`,
    { max },
  );
}

function operationEnding(id: string): DomainError {
  return new DomainError(
    'BAD_REQUEST',
    `Expected an id of its own for each operation, but got "${id.slice(0, 100)}", whose operation has yet to end`,
  );
}

/** What `graphql-ws` asks of us at each turn of an operation. */
export function operationHooks(deps: GraphqlDeps, socketsOf: (userId: string) => number) {
  const { schema, log, context, sessions, checkOperation } = deps;
  const readDocument = createDocumentReader(deps);
  const map = (errors: readonly unknown[], requestId: string) =>
    errors.map((error) => mapError(error, { requestId, log }));

  /** Of operations whose answers say it. */
  const costs = new WeakMap<Context, Cost>();
  const releases = new WeakMap<Context, Release>();

  return {
    async onSubscribe(
      connection: Connection,
      id: string,
      payload: Payload,
    ): Promise<ExecutionArgs | readonly GraphQLError[]> {
      const requestId = newRequestId();
      const { operations, host, address, authorization, begun } = connection.extra; // Before anything is awaited.
      if (begun) begun.payload = payload;
      try {
        // What graphql-ws says of the one that ends, the client would take for the end of the new one.
        const isTaken = [...operations.values()].some((operation) => operation.id === id);
        if (isTaken) throw operationEnding(id);
        if (operations.size >= requestLimits.operationsPerSocket) throw tooManyOperations();
        const controller = new AbortController();
        operations.set(payload, { id, connection, controller, begun });
        const read = readDocument(payload);
        if ('errors' in read) {
          operations.delete(payload);
          return read.errors.map((error) => withId(error, requestId));
        }
        const { document } = read;
        const { operationName, variables } = payload;
        const asked = { requestId, signal: controller.signal, host, address, authorization };
        const contextValue = await context(asked);
        const { release, cost } = await checkOperation({
          ...{ document, operationName, variables: variables ?? {} },
          context: contextValue,
          connection: connection.extra,
        });
        begun?.ended.then(release);
        releases.set(contextValue, release);
        if (cost !== null && asksForCost(payload)) costs.set(contextValue, cost);
        return { schema, document, operationName, variableValues: variables, contextValue };
      } catch (error) {
        operations.delete(payload);
        const asGraphQL =
          error instanceof GraphQLError
            ? error
            : new GraphQLError('', { originalError: error instanceof Error ? error : undefined });
        return [withId(asGraphQL, requestId)];
      }
    },
    /** False closes the connection, where `extra.end` has not done so with a better reason. */
    onConnect: (connection: Connection) =>
      authenticateSocket(connection, { context, sessions, socketsOf }),
    /** An iterator that waits inside cannot be ended from outside: its signal ends it. */
    onOperation(
      connection: Connection,
      _id: string,
      payload: Payload,
      _args: ExecutionArgs,
      result: unknown,
    ) {
      if (!isStream(result)) return;
      connection.extra.operations.get(payload)?.begun?.established();
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
      { errors, ...result }: ExecutionResult,
    ) {
      const context = args.contextValue as Context;
      releases.get(context)?.(); // What waits to be sent is counted where it waits.
      const cost = costs.get(context);
      if (!errors && !cost) return;
      return {
        ...result,
        ...(errors && { errors: map(errors, context.requestId) }),
        ...(cost && { extensions: { cost } }),
      };
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

/**
 * Hands one message to the protocol. When that is through with it, so is its operation: of one that the client completed
 * before it stood, graphql-ws tells nobody.
 */
export async function takeOne(extra: Extra, text: string, take: Take): Promise<void> {
  const { begun } = extra;
  await take(text);
  if (begun?.payload) extra.operations.delete(begun.payload);
}

/** A client's `complete` takes the id away at once; a query or mutation hears of it by its signal alone. */
export function abortCompleted({ operations }: Extra): void {
  for (const { id, connection, controller } of operations.values()) {
    // To abort once more would make another exception, with its stack.
    if (!controller.signal.aborted && !(id in connection.subscriptions)) controller.abort();
  }
}

/** graphql-ws hands errors from one hook to another: the id travels inside. */
function withId(error: GraphQLError, requestId: string): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    originalError: error.originalError,
    extensions: { ...error.extensions, requestId },
  });
}
