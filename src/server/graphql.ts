import { ApolloServer, type ApolloServerPlugin, HeaderMap } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type RequestHandler, type Response } from 'express';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { DomainError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import type { Sessions } from '../services/access/sessions.ts';
import type { AllowedDocuments } from './allowed-documents.ts';
import type { Cost } from './cost.ts';
import { checkDocument, checkedDocument } from './document-limits.ts';
import { mapError, ofDatabase, statusOf } from './error-mapping.ts';
import { boundedBodies, type IncomingRoom } from './incoming.ts';
import { requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import { verifyUtf8, whereSubscriptionsAre } from './negotiation.ts';
import { asksForCost, type CheckOperation } from './operation-checks.ts';
import type { AddressOf } from './rate-limits.ts';
import { newRequestId, type RequestScope, requestScope } from './request-scope.ts';
import { type UploadRoom, uploads } from './uploads.ts';

/** Makes what resolvers get, for one operation. */
export type MakeContext = (options: {
  requestId: string;
  signal: AbortSignal;
  /** As the client wrote it. */
  host: string;
  /** As the header of that name has it. */
  authorization: string | undefined;
  address: string;
}) => Promise<Context>;

export type GraphqlDeps = {
  readonly schema: GraphQLSchema;
  readonly log: Log;
  readonly context: MakeContext;
  readonly sessions: Sessions;
  readonly checkOperation: CheckOperation;
  readonly addressOf: AddressOf;
  readonly incoming: IncomingRoom;
  /** Of one file. */
  readonly maxUploadBytes: number;
  readonly uploadRoom: UploadRoom;
  /** Whether clients may read the schema. */
  readonly introspection: boolean;
  /** Null where clients may send any document. */
  readonly allowedDocuments: AllowedDocuments | null;
};

export type Graphql = {
  readonly handlers: RequestHandler[];
  /** Requests that wait for a generation are answered as it stands now. */
  hurry(): void;
  stop(): Promise<void>;
};

/** GraphQL over HTTP. */
export async function startGraphql(deps: GraphqlDeps): Promise<Graphql> {
  const apollo = await startApollo(deps);
  const waiting = new Set<AbortController>();
  return {
    handlers: handlers(apollo, deps, waiting),
    hurry() {
      for (const controller of waiting) controller.abort();
    },
    stop: () => apollo.stop(),
  };
}

async function startApollo(deps: GraphqlDeps): Promise<ApolloServer<Context>> {
  const { schema, log } = deps;
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: deps.introspection,
    // No "Did you mean" where the schema is not to be read.
    hideSchemaDetailsFromClientErrors: !deps.introspection,
    // Ours is `noForeignPage`: Apollo's refuses every GET without a header that caches and urql do not send.
    csrfPrevention: false,
    persistedQueries: deps.allowedDocuments ? { cache: deps.allowedDocuments.cache } : {},
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: requestLimits.tokens },
    plugins: [ApolloServerPluginLandingPageDisabled(), operationChecks(deps), retryAfterHeader],
    logger: log,
    formatError: (_formatted, error) => {
      const scope: RequestScope = requestScope.getStore() ?? { requestId: newRequestId() };
      const mapped = mapError(error, { requestId: scope.requestId, log });
      const isByGet = mapped.message.endsWith('not subscription operations');
      if (!isByGet) return mapped;
      const hint = whereSubscriptionsAre(scope);
      return { ...mapped, message: `${mapped.message}; ${hint}` };
    },
  });
  await apollo.start();
  return apollo;
}

/** Before anything is executed: see `operation-checks.ts`. With `extensions: { cost: true }` the answer says the cost. */
function operationChecks({ checkOperation }: GraphqlDeps): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      let cost: Cost | null = null;
      let release = () => {};
      return {
        async didResolveOperation({ document, operation, operationName, request, contextValue }) {
          try {
            if (operation?.operation === 'subscription') {
              throw subscriptionOverHttp(contextValue.origin);
            }
            const { variables = {} } = request;
            const { onClose, connection = contextValue.signal } = requestScope.getStore() ?? {};
            const asked = { document, operationName, variables, context: contextValue, connection };
            const checked = await checkOperation(asked);
            ({ cost, release } = checked);
            onClose?.(release); // Where its client goes before there is an answer.
          } catch (error) {
            throw error instanceof DomainError ? withStatus(error) : error;
          }
        },
        async willSendResponse({ request, response: { body } }) {
          release(); // What waits to be sent is counted where it waits.
          if (cost === null || body.kind !== 'single' || !asksForCost(request)) return;
          body.singleResult.extensions = { ...body.singleResult.extensions, cost };
        },
      };
    },
  };
}

/** Apollo Server answers with 500 where an error names no status. */
function withStatus(error: DomainError): GraphQLError {
  const http = { status: statusOf(error.code), headers: headersOf(error) };
  return new GraphQLError(error.message, { originalError: error, extensions: { http } });
}

/** What a client must send instead (RFC 6750, 3), and when it may come again. */
function headersOf({ code, details }: DomainError): HeaderMap {
  const headers = new HeaderMap();
  const { retryAfter } = details;
  if (retryAfter !== undefined) headers.set('retry-after', String(Math.ceil(retryAfter)));
  if (code === 'UNAUTHENTICATED') headers.set('www-authenticate', 'Bearer realm="Easel"');
  return headers;
}

function subscriptionOverHttp(origin: string): DomainError {
  const address = `${origin.replace(/^http/, 'ws')}/graphql`;
  return new DomainError(
    'BAD_REQUEST',
    `Expected a query or a mutation over HTTP, but got a subscription: open a WebSocket to ${address} with the protocol graphql-transport-ws`,
  );
}

/** For clients that know HTTP better than this API: when a refused request may be sent again. */
const retryAfterHeader: ApolloServerPlugin<Context> = {
  async requestDidStart() {
    return {
      async willSendResponse({ response: { body, http } }) {
        const errors = body.kind === 'single' ? (body.singleResult.errors ?? []) : [];
        const seconds = errors.map(({ extensions }) => Number(extensions?.['retryAfter'] ?? 0));
        const longest = Math.max(0, ...seconds);
        if (longest > 0) http.headers.set('retry-after', String(Math.ceil(longest)));
      },
    };
  },
};

function handlers(
  apollo: ApolloServer<Context>,
  {
    context,
    sessions,
    addressOf,
    incoming,
    allowedDocuments,
    maxUploadBytes,
    uploadRoom,
  }: GraphqlDeps,
  waiting: Set<AbortController>,
): RequestHandler[] {
  return [
    uploads({
      ...{ maxBytes: maxUploadBytes, room: uploadRoom },
      async authenticate(request) {
        const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
        const { host = '', authorization } = request.headers;
        const asked = { requestId, host, authorization, address: addressOf(request) };
        await context({ ...asked, signal: new AbortController().signal });
      },
    }),
    ...boundedJson(incoming),
    (request, _response, next) => {
      request.body ??= {}; // Not JSON at all: Apollo Server says so.
      next();
    },
    checkedDocument((text) => {
      allowedDocuments?.check(text);
      checkDocument(text);
    }),
    expressMiddleware(apollo, {
      context: async ({ req, res }) => {
        const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
        const controller = controllerOf(res, waiting);
        const { host = '', authorization } = req.headers;
        const asked = { requestId, host, authorization, address: addressOf(req) };
        try {
          const made = await context({ ...asked, signal: controller.signal });
          const leave = sessions.follow(made.viewer, (reason) => controller.abort(reason));
          requestScope.getStore()?.onClose?.(leave);
          return made;
        } catch (error) {
          const fault = error instanceof DomainError ? error : ofDatabase(error);
          throw fault === null ? error : withStatus(fault);
        }
      },
    }),
  ];
}

/** Bodies of JSON, in room and time that are bounded. */
export function boundedJson(incoming: IncomingRoom): RequestHandler[] {
  return [
    boundedBodies(incoming),
    express.json({ limit: requestLimits.bodyBytes, verify: verifyUtf8, strict: false }),
  ];
}

/** Aborts when the client goes away before its answer is complete, or the server stops. */
function controllerOf(response: Response, waiting: Set<AbortController>): AbortController {
  const controller = new AbortController();
  waiting.add(controller);
  response.once('close', () => {
    waiting.delete(controller);
    if (!response.writableFinished) controller.abort();
  });
  return controller;
}
