import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import cors from 'cors';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { DomainError } from '../errors.ts';
import { answerError } from './error-answer.ts';
import { boundedJson, type GraphqlDeps, startGraphql } from './graphql.ts';
import { type Check, health, ready } from './health.ts';
import { HttpError } from './http-error.ts';
import { incomingLimits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { acceptsAnswer, bodyInUtf8, bodyIsJson } from './negotiation.ts';
import { type OpenAiDeps, openAiRoutes } from './openai.ts';
import { type CheckOrigin, checkFetchSite } from './origin.ts';
import { graphiqlPage, pageFiles } from './pages.ts';
import { PlainRequest } from './plain-request.ts';
import type { RateLimits } from './rate-limits.ts';
import { newRequestId, requestScope } from './request-scope.ts';
import { securityHeaders } from './security-headers.ts';
import { sseHandler } from './sse.ts';
import { inTurn } from './unread.ts';

export type HttpDeps = GraphqlDeps & {
  readonly checkOrigin: CheckOrigin;
  readonly metrics: Metrics;
  readonly checks: Readonly<Record<string, Check>>;
  readonly files: RequestHandler;
  readonly readOriginal: OpenAiDeps['readOriginal'];
  readonly rateLimits: RateLimits;
  readonly mayReadMetrics: (request: Request) => boolean;
};

export type Http = {
  readonly server: Server;
  /** Takes no more connections; requests that wait for a generation are answered now. */
  refuse(): void;
  /** Waits for answers that are under way, for so long; then cuts off what is still open. */
  close(withinMs: number): Promise<void>;
  /** Ends GraphQL. */
  stop(): Promise<void>;
};

function noSuchPath({ method, path }: Request): DomainError {
  return new DomainError(
    'NOT_FOUND',
    `Expected /graphql, /v1, /files, /health, /ready or /metrics, but got ${method} ${path.slice(0, 100)}`,
  );
}

function noMetrics(): DomainError {
  return new DomainError(
    'FORBIDDEN',
    'Expected a request from this machine, or METRICS_TOKEN as bearer token',
  );
}

/** Everything but the WebSockets, in the order in which a request meets it. */
export async function createHttp(deps: HttpDeps): Promise<Http> {
  const { log, metrics, checkOrigin, checks, rateLimits, addressOf } = deps;
  const graphql = await startGraphql(deps);
  const sse = sseHandler(deps);
  const app = express().disable('x-powered-by').disable('etag');
  app.use(inScope(metrics));
  app.use((request, _response, next) => {
    checkVersion(request);
    checkOrigin(request);
    next();
  });
  app.use(securityHeaders, crossOrigin);
  app.get('/health', health);
  app.get('/ready', ready(checks));
  app.use(async (request, _response, next) => {
    await rateLimits.request(addressOf(request));
    next();
  });
  app.get('/metrics', async (request, response) => {
    if (!deps.mayReadMetrics(request)) throw noMetrics();
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.use('/v1', noForeignPage, openAiRoutes(deps));
  app.use('/files', deps.files);
  app.use('/pages', pageFiles());
  app.get('/', (request, response) => {
    response.redirect(`/graphql${/\?.*$/.exec(request.originalUrl)?.[0] ?? ''}`);
  });
  app.use(
    '/graphql/stream',
    onlyItsMethods,
    noForeignPage,
    bodyIsJson,
    bodyInUtf8,
    ...boundedJson(deps.incoming),
    sse.handler,
  );
  app.use(
    '/graphql',
    onlyItsMethods,
    graphiqlPage,
    noForeignPage,
    acceptsAnswer,
    bodyIsJson,
    bodyInUtf8,
    ...graphql.handlers,
  );
  app.use((request) => {
    throw noSuchPath(request);
  });
  app.use(answerError(log));
  const options = { ...timeouts, IncomingMessage: PlainRequest };
  const server = createServer(options, inTurn(app as Express));
  server.maxConnections = incomingLimits.connections;
  // RFC 9110, 9.3.6: for proxies, which this is none.
  server.on('connect', (_request, socket) => {
    socket.end(
      'HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD, POST\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    );
  });
  const closed = new Promise((resolve) => server.once('close', resolve));
  const answering = trackAnswers(server);
  return {
    server,
    refuse() {
      if (server.listening) server.close();
      server.closeIdleConnections();
      graphql.hurry();
      sse.close();
    },
    async close(withinMs) {
      if (server.listening) server.close();
      const answers = answering.ended();
      const cut = setTimeout(() => server.closeAllConnections(), withinMs);
      await answers;
      clearTimeout(cut);
      server.closeAllConnections();
      await closed;
    },
    stop: () => graphql.stop(),
  };
}

/** The answers that are under way. Those that wait behind another one emit nothing when their connection breaks. */
function trackAnswers(server: Server): { ended(): Promise<unknown> } {
  const answering = new Map<Socket, Set<ServerResponse>>();
  server.on('request', ({ socket }, response) => {
    const known = answering.get(socket);
    if (known === undefined) socket.once('close', () => answering.delete(socket));
    const responses = known ?? new Set();
    answering.set(socket, responses.add(response));
    response.once('close', () => responses.delete(response));
  });
  const closeOf = (one: Socket | ServerResponse) =>
    new Promise<void>((resolve) => one.once('close', resolve));
  return {
    ended: () =>
      Promise.all(
        [...answering].map(([socket, responses]) =>
          Promise.race([closeOf(socket), Promise.all([...responses].map(closeOf))]),
        ),
      ),
  };
}

/** Headers must come soon; answers may take as long as `waitSeconds` allows. */
const timeouts = { headersTimeout: 20_000, requestTimeout: 60_000, keepAliveTimeout: 10_000 };

function inScope(metrics: Metrics): RequestHandler {
  return (request, response, next) => {
    const requestId = newRequestId();
    const startedAt = performance.now();
    response.setMaxListeners(30); // Every part that serves a request listens for its end.
    response.set('X-Request-Id', requestId);
    response.once('close', () => {
      const { statusCode: status } = response;
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.answered({ route: routeOf(request), method: methodOf(request), status, seconds });
    });
    // Node's parser reads nothing after a request that offers another protocol: the client is told so.
    if (request.headers.upgrade !== undefined) response.set('Connection', 'close');
    const scope = {
      requestId,
      host: request.headers.host,
      connection: request.socket,
      onClose: whenClosed(response),
    };
    requestScope.run(scope, next);
  };
}

/** At once where that has happened: a client may go while it is found out who it is. */
function whenClosed(response: ServerResponse): (callback: () => void) => void {
  let isClosed = false;
  response.once('close', () => {
    isClosed = true;
  });
  return (callback) => (isClosed ? callback() : response.once('close', callback));
}

/** RFC 9110, 15.5.6. */
const onlyItsMethods: RequestHandler = ({ method }, response, next) => {
  if (['GET', 'HEAD', 'POST', 'OPTIONS'].includes(method)) return next();
  response.set('Allow', 'GET, HEAD, POST, OPTIONS');
  throw new HttpError(405, 'BAD_REQUEST', `Expected GET or POST, but got ${method}`);
};

/** Behind the page of the explorer, which anybody may link to: it executes nothing. */
const noForeignPage: RequestHandler = (request, _response, next) => {
  checkFetchSite(request);
  next();
};

/** Node's parser lets a version pass that has neither headers nor a status. */
function checkVersion({ httpVersion }: Request): void {
  if (httpVersion === '1.1' || httpVersion === '1.0') return;
  throw new HttpError(505, 'BAD_REQUEST', `Expected HTTP/1.1, but got HTTP/${httpVersion}`);
}

const routes = ['graphql', 'v1', 'files', 'pages', 'health', 'ready', 'metrics'];
const methods = ['GET', 'HEAD', 'POST', 'OPTIONS'];

function routeOf(request: Request): string {
  const first = request.originalUrl.split(/[/?]/)[1] ?? '';
  return routes.includes(first) ? first : 'other';
}

function methodOf({ method }: Request): string {
  return methods.includes(method) ? method : 'other';
}

/** CORS for the pages of origins that have passed the check: they may send what they announce, credentials too. */
const crossOrigin = cors({
  origin: true,
  credentials: true,
  methods: ['GET', 'HEAD', 'POST'],
  exposedHeaders: ['X-Request-Id', 'ETag', 'Content-Disposition', 'Content-Range', 'Retry-After'],
  maxAge: 24 * 60 * 60,
});
