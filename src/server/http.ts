import { createServer, type Server } from 'node:http';
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { GraphQLSchema } from 'graphql';
import { DomainError, StartError } from '../errors.ts';
import type { Context } from '../resolvers/context.ts';
import { mapError, statusOf } from './error-mapping.ts';
import { type Check, health, ready } from './health.ts';
import { checkComplexity, requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { checkOrigin, type OriginRules } from './origin.ts';
import { graphiqlPage, pageFiles } from './pages.ts';
import { newRequestId, requestScope } from './request-scope.ts';

export type HttpDeps = {
  readonly schema: GraphQLSchema;
  readonly rules: OriginRules;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly checks: Readonly<Record<string, Check>>;
  readonly files: RequestHandler;
  readonly context: (options: {
    requestId: string;
    signal: AbortSignal;
    host: string;
  }) => Promise<Context>;
};

export type Http = {
  readonly server: Server;
  /** Takes no more connections; requests that wait for a generation are answered now. */
  refuse(): void;
  /** Cuts off what is still open. */
  close(): Promise<void>;
  /** Ends GraphQL. */
  stop(): Promise<void>;
};

class NoSuchPath extends DomainError {
  constructor({ method, path }: Request) {
    super(
      'NOT_FOUND',
      `Expected /graphql, /files, /health, /ready or /metrics, but got ${method} ${path.slice(0, 100)}`,
    );
  }
}

class BadBody extends DomainError {
  constructor(message: string) {
    super(
      'BAD_REQUEST',
      `Expected a body of JSON of at most ${requestLimits.bodyBytes} bytes, but got: ${message}`,
    );
  }
}

/** Everything but the WebSockets, in the order in which a request meets it. */
export async function createHttp(deps: HttpDeps): Promise<Http> {
  const { log, metrics, rules, checks } = deps;
  const apollo = await startApollo(deps);
  const waiting = new Set<AbortController>();
  const app = express().disable('x-powered-by').disable('etag');
  app.use(inScope(metrics));
  app.use(guard(rules));
  app.get('/health', health);
  app.get('/ready', ready(checks));
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.use('/files', deps.files);
  app.use('/pages', pageFiles());
  app.get('/', (_request, response) => response.redirect('/graphql'));
  app.use('/graphql', graphiqlPage, ...graphql(apollo, deps, waiting));
  app.use((request) => {
    throw new NoSuchPath(request);
  });
  app.use(answerError(log));
  const server = createServer(hardened, app as Express);
  const closed = new Promise((resolve) => server.once('close', resolve));
  return {
    server,
    refuse() {
      if (server.listening) server.close();
      server.closeIdleConnections();
      for (const controller of waiting) controller.abort();
    },
    async close() {
      if (server.listening) server.close();
      server.closeAllConnections();
      await closed;
    },
    stop: () => apollo.stop(),
  };
}

/** Headers must come soon; answers may take as long as `waitSeconds` allows. */
const hardened = { headersTimeout: 20_000, requestTimeout: 60_000, keepAliveTimeout: 10_000 };

/** Resolves when it listens. @throws StartError */
export function listen(server: Server, { host, port }: { host: string; port: number }) {
  return new Promise<{ port: number }>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => reject(cannotListen(cause, host, port));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address ? address.port : port });
    });
  });
}

function cannotListen(cause: NodeJS.ErrnoException, host: string, port: number): StartError {
  const place = `Expected to listen on ${host}:${port}, but`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new StartError(
        `${place} another program does: stop it, or set PORT to another number`,
        { cause },
      );
    case 'EACCES':
      return new StartError(`${place} this user may not: set PORT to a number above 1023`, {
        cause,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`${place} this machine has no such address: set HOST to one it has`, {
        cause,
      });
    default:
      return new StartError(`${place} got: ${cause.message}`, { cause });
  }
}

async function startApollo({ schema, log }: HttpDeps): Promise<ApolloServer<Context>> {
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

function graphql(
  apollo: ApolloServer<Context>,
  { context }: HttpDeps,
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

function inScope(metrics: Metrics): RequestHandler {
  return (request, response, next) => {
    const requestId = newRequestId();
    const startedAt = performance.now();
    response.set('X-Request-Id', requestId);
    response.once('close', () => {
      const { statusCode: status } = response;
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.answered({ route: routeOf(request), method: methodOf(request), status, seconds });
    });
    requestScope.run({ requestId }, next);
  };
}

const routes = ['graphql', 'files', 'pages', 'health', 'ready', 'metrics'];
const methods = ['GET', 'HEAD', 'POST', 'OPTIONS'];

function routeOf(request: Request): string {
  const first = request.originalUrl.split(/[/?]/)[1] ?? '';
  return routes.includes(first) ? first : 'other';
}

function methodOf({ method }: Request): string {
  return methods.includes(method) ? method : 'other';
}

/** Host and Origin; and CORS for the pages that may use this server. */
function guard(rules: OriginRules): RequestHandler {
  return (request, response, next) => {
    const { origin } = checkOrigin(request, rules);
    response.vary('Origin');
    if (origin !== null) {
      response.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Expose-Headers': 'X-Request-Id, ETag, Content-Disposition',
      });
    }
    if (request.method !== 'OPTIONS') return next();
    response
      .set({
        'Access-Control-Allow-Methods': 'GET, HEAD, POST',
        'Access-Control-Allow-Headers':
          'Content-Type, Authorization, Apollo-Require-Preflight, X-Apollo-Operation-Name, Range, If-None-Match',
        'Access-Control-Max-Age': '86400',
      })
      .status(204)
      .end();
  };
}

/** Outside of GraphQL, too, an error is JSON with a code. */
function answerError(log: Log): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error); // Half an answer: the connection is cut.
    const fault = isBodyError(error) ? new BadBody(error.message) : error;
    const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
    const mapped = mapError(fault, { requestId, log });
    for (const name of ['Cache-Control', 'ETag', 'Content-Disposition'])
      response.removeHeader(name);
    const status = isBodyError(error) ? error.status : statusOf(mapped.extensions.code);
    log.debug({ requestId, url: request.originalUrl, status }, mapped.message);
    response.status(status).json({ errors: [mapped] });
  };
}

/** What Express's own parsers throw: malformed JSON, too large, another charset … */
function isBodyError(error: unknown): error is Error & { status: number } {
  return (
    error instanceof Error &&
    !(error instanceof DomainError) &&
    'status' in error &&
    typeof error.status === 'number' &&
    error.status >= 400 &&
    error.status < 500
  );
}
