import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type RequestHandler, type Response } from 'express';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { DomainError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import type { Admission } from './admission.ts';
import { checkCost, costOf } from './cost.ts';
import { mapError, ofDatabase, statusOf } from './error-mapping.ts';
import { requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import { verifyUtf8, whereSubscriptionsAre } from './negotiation.ts';
import { boundedNesting } from './nesting.ts';
import { newRequestId, type RequestScope, requestScope } from './request-scope.ts';

/** Makes what resolvers get, for one operation. */
export type MakeContext = (options: {
  requestId: string;
  signal: AbortSignal;
  /** As the client wrote it. */
  host: string;
}) => Promise<Context>;

export type GraphqlDeps = {
  readonly schema: GraphQLSchema;
  readonly log: Log;
  readonly context: MakeContext;
  readonly admission: Admission;
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
    introspection: true,
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

/** Before anything is executed: what an operation costs, and whether it may run now. */
function operationChecks({ schema, admission }: GraphqlDeps): ApolloServerPlugin<Context> {
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ document, operation, operationName, request, contextValue }) {
          try {
            if (operation?.operation === 'subscription') {
              throw subscriptionOverHttp(contextValue.origin);
            }
            const { variables = {} } = request;
            const cost = costOf(schema, document, { operationName, variables });
            if (cost === null) return;
            checkCost(cost);
            const { signal } = contextValue;
            const { onClose, connection = signal } = requestScope.getStore() ?? {};
            onClose?.(await admission.enter(cost, { key: connection, signal }));
          } catch (error) {
            throw error instanceof DomainError ? withStatus(error) : error;
          }
        },
      };
    },
  };
}

/** Apollo Server answers with 500 where an error names no status. */
function withStatus(error: DomainError): GraphQLError {
  const http = { status: statusOf(error.code) };
  return new GraphQLError(error.message, { originalError: error, extensions: { http } });
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
  { context }: GraphqlDeps,
  waiting: Set<AbortController>,
): RequestHandler[] {
  return [
    express.json({ limit: requestLimits.bodyBytes, verify: verifyUtf8 }),
    (request, _response, next) => {
      request.body ??= {}; // Not JSON at all: Apollo Server says so.
      next();
    },
    boundedNesting,
    expressMiddleware(apollo, {
      context: ({ req, res }) => {
        const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
        const asked = { requestId, signal: signalOf(res, waiting), host: req.headers.host ?? '' };
        return context(asked).catch((error: unknown) => {
          const fault = ofDatabase(error);
          throw fault === null ? error : withStatus(fault);
        });
      },
    }),
  ];
}

/** Aborts when the client goes away before its answer is complete, or the server stops. */
function signalOf(response: Response, waiting: Set<AbortController>): AbortSignal {
  const controller = new AbortController();
  waiting.add(controller);
  response.once('close', () => {
    waiting.delete(controller);
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
