import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type RequestHandler, type Response } from 'express';
import type { GraphQLSchema } from 'graphql';
import type { Context } from '../resolvers/context.ts';
import { mapError } from './error-mapping.ts';
import { checkComplexity, requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import { newRequestId, requestScope } from './request-scope.ts';

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

async function startApollo({ schema, log }: GraphqlDeps): Promise<ApolloServer<Context>> {
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: true,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: requestLimits.tokens },
    plugins: [complexityPlugin],
    logger: log,
    formatError: (_formatted, error) => {
      const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
      return mapError(error, { requestId, log });
    },
  });
  await apollo.start();
  return apollo;
}

const complexityPlugin: ApolloServerPlugin<Context> = {
  async requestDidStart() {
    return {
      async didResolveOperation({ document, operationName, request }) {
        checkComplexity(document, { operationName, variables: request.variables ?? {} });
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
    express.json({ limit: requestLimits.bodyBytes }),
    (request, _response, next) => {
      request.body ??= {}; // Not JSON at all: the next one says so.
      next();
    },
    expressMiddleware(apollo, {
      context: ({ req, res }) => {
        const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
        return context({ requestId, signal: signalOf(res, waiting), host: req.headers.host ?? '' });
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
