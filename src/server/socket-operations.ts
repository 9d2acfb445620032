import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  parse,
  validate,
} from 'graphql';
import type { Context as SocketContext } from 'graphql-ws';
import { DomainError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import { checkCost, costOf } from './cost.ts';
import { mapError } from './error-mapping.ts';
import type { GraphqlDeps } from './graphql.ts';
import { requestLimits } from './limits.ts';
import { checkNesting } from './nesting.ts';
import { newRequestId } from './request-scope.ts';
import type { Begun, Take } from './socket-inbox.ts';

/** What is known of one WebSocket. */
export type Extra = {
  readonly host: string;
  /**
   * Each until it has truly ended, also where the client has completed it. By the payload that began it: the
   * client's id for it may come again.
   */
  readonly operations: Map<object, Operation>;
  /** The message that is handed to the protocol right now. */
  begun: Begun | null;
};
type Connection = SocketContext<Record<string, unknown>, Extra>;
type Operation = {
  readonly id: string;
  readonly connection: Connection;
  readonly controller: AbortController;
  readonly begun: Begun | null;
};
type Payload = {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
};

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

/** What `graphql-ws` asks of us at each turn of an operation. */
export function operationHooks({ schema, log, context, admission }: GraphqlDeps) {
  const map = (errors: readonly unknown[], requestId: string) =>
    errors.map((error) => mapError(error, { requestId, log }));

  return {
    async onSubscribe(
      connection: Connection,
      id: string,
      payload: Payload,
    ): Promise<ExecutionArgs | readonly GraphQLError[]> {
      const requestId = newRequestId();
      const { operations, host, begun } = connection.extra; // Before anything is awaited.
      if (begun) begun.payload = payload;
      try {
        // What graphql-ws says of the one that ends, the client would take for the end of the new one.
        const isTaken = [...operations.values()].some((operation) => operation.id === id);
        if (isTaken) throw new OperationEnding(id);
        if (operations.size >= requestLimits.operationsPerSocket) throw new TooManyOperations();
        const controller = new AbortController();
        operations.set(payload, { id, connection, controller, begun });
        checkNesting(payload.query);
        const document = parse(payload.query, { maxTokens: requestLimits.tokens });
        const errors = validate(schema, document);
        if (errors.length > 0) {
          operations.delete(payload);
          return errors.map((error) => withId(error, requestId, validation));
        }
        const { operationName, variables } = payload;
        if (!getOperationAST(document, operationName)) throw new NoSuchOperation(operationName);
        const { signal } = controller;
        const cost = costOf(schema, document, { operationName, variables: variables ?? {} });
        if (cost !== null) {
          checkCost(cost);
          const release = await admission.enter(cost, { key: connection.extra, signal });
          begun?.ended.then(release);
        }
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
