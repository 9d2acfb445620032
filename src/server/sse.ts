import type { Request, RequestHandler, Response } from 'express';
import { createHandler } from 'graphql-sse/lib/use/express';
import { DomainError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import { mapError, ofDatabase } from './error-mapping.ts';
import type { GraphqlDeps } from './graphql.ts';
import { HttpError } from './http-error.ts';
import { accessLimits, requestLimits } from './limits.ts';
import { createOpenPerUser } from './open-per-user.ts';
import { type Asked, createDocumentReader, isStream } from './read-document.ts';
import { newRequestId, requestScope } from './request-scope.ts';

/**
 * GraphQL over Server-Sent Events (the protocol of graphql-sse, distinct connections): one operation for each request, for
 * networks that break WebSockets. The same checks, bounds and sessions as there.
 */
export function sseHandler(deps: GraphqlDeps): { handler: RequestHandler; close(): void } {
  const streams = new Set<Response>();
  const openPerUser = createOpenPerUser(accessLimits.socketsOfUser, 'event streams');
  const readDocument = createDocumentReader(deps);

  const begin = async (request: Request, response: Response, asked: Asked) => {
    const { schema, context, sessions, checkOperation, addressOf } = deps;
    const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
    const controller = new AbortController();
    response.once('close', () => controller.abort());
    const read = readDocument(asked);
    if ('errors' in read) return read.errors;
    const { document } = read;
    const { operationName, variables } = asked;
    const { host = '', authorization } = request.headers;
    const contextValue = await context({
      ...{ requestId, host, authorization, address: addressOf(request) },
      signal: controller.signal,
    });
    const { viewer } = contextValue;
    if (viewer.credential.kind !== 'none') openPerUser.enter(viewer.id, response);
    response.once(
      'close',
      sessions.follow(viewer, (reason) => end(response, controller, reason)),
    );
    const { release } = await checkOperation({
      ...{ document, operationName, variables: variables ?? {} },
      ...{ context: contextValue, connection: request.socket },
    });
    response.once('close', release);
    return { schema, document, operationName, variableValues: variables, contextValue };
  };
  const map = (errors: readonly unknown[]) => {
    const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
    return errors.map((error) => mapError(error, { requestId, log: deps.log }));
  };

  /** Results whose errors are in their final form. */
  const told = new WeakSet<object>();
  const final = (errors: readonly unknown[]) => {
    const result = { errors: map(errors) };
    told.add(result);
    return result as never;
  };
  /** As the one event of a stream: clients read errors there, not in a status. */
  async function* refused(errors: readonly unknown[]): AsyncGenerator<never, void, void> {
    yield final(errors);
  }
  const handle = createHandler<Context>({
    schema: deps.schema,
    // Single connections would be somebody's who knows their token: one stream for each operation needs none.
    authenticate: () => '',
    async onSubscribe({ raw, context: { res } }, params) {
      try {
        const made = await begin(raw as Request, res as Response, params as Asked);
        return 'document' in made ? made : refused(made);
      } catch (error) {
        return refused([error instanceof Error ? (ofDatabase(error) ?? error) : error]);
      }
    },
    onOperation: (context, _request, _args, result) =>
      isStream(result) ? withReason(result, context, final) : result,
    onNext: (_context, _request, result) => {
      if (!result.errors || told.has(result)) return;
      return { ...result, errors: map(result.errors) } as never;
    },
  });

  return {
    async handler(request, response, next) {
      try {
        if (request.method !== 'POST') throw onlyPost(request.method);
        if (request.headers['x-graphql-event-stream-token'] !== undefined) throw noSingle();
        if (streams.size >= requestLimits.sockets) throw tooMany();
        streams.add(response);
        response.once('close', () => streams.delete(response));
        request.headers.accept = 'text/event-stream';
        response.set({ 'X-Accel-Buffering': 'no', 'Cache-Control': 'no-store' });
        await handle(request, response);
      } catch (error) {
        next(error);
      }
    },
    close() {
      for (const response of streams) response.destroy();
    },
  };
}

/** Time to send the last event. */
const lastEventMs = 500;

/** The signal ends the iterator, see `withReason`; who does not read is cut off. */
function end(response: Response, controller: AbortController, reason: DomainError): void {
  controller.abort(reason);
  setTimeout(() => response.destroy(), lastEventMs).unref();
}

/** The events, and why they ended where the credential has. */
async function* withReason(
  events: AsyncGenerator<unknown>,
  { signal }: Context,
  final: (errors: readonly unknown[]) => never,
): AsyncGenerator<never, void, void> {
  try {
    for await (const event of events) yield event as never;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const { reason } = signal;
  if (reason instanceof DomainError) yield final([reason]);
}

function onlyPost(got: string): HttpError {
  return new HttpError(
    405,
    'BAD_REQUEST',
    `Expected POST with an operation as JSON, but got ${got}`,
  );
}

function noSingle(): DomainError {
  const text =
    'Expected one request for each operation (singleConnection: false), but got a stream token';
  return new DomainError('BAD_REQUEST', text);
}

function tooMany(): DomainError {
  const max = requestLimits.sockets;
  return new DomainError('RATE_LIMITED', `Expected at most ${max} open event streams at once`, {
    max,
  });
}
