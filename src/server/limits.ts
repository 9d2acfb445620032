import { DomainError } from '../errors.ts';

/** Limits of one operation and of the connection that it arrives on. */
export const requestLimits = {
  /** Bytes of a body, or of a WebSocket message: a prompt of 8,000 characters is at most 32 kB. */
  bodyBytes: 512 * 1024,
  /** Tokens of a document; GraphiQL's introspection query has about 400. */
  tokens: 5_000,
  /** Braces, brackets and parentheses inside each other. */
  nesting: 100,
  /** Operations of one WebSocket at once. */
  operationsPerSocket: 100,
  /** WebSockets at once. */
  sockets: 5_000,
} as const;

/** The most that one operation may cost, see `cost.ts`. */
export const operationLimits = {
  /** GraphiQL's introspection goes down 15. */
  depth: 20,
  aliases: 60,
  fields: 50_000,
  /** A page of 200 generations with both prompts at their longest is 10 MB. */
  bytes: 16_000_000,
  /** A page of 100 projects with the newest images of each is 202. */
  statements: 250,
} as const;

/** What operations may cost together that run at the same time. Costs are the most that each may take. */
export const admissionLimits = {
  /** What counts as small: a page of 50 generations with both prompts is. */
  upTo: { bytes: 2_500_000, statements: 40, fields: 3_000 },
  small: { bytes: 100_000_000, statements: 1_000 },
  large: { bytes: 16_000_000, statements: 250 },
  /** Time that one waits for its turn before it is told to come again, in milliseconds. */
  waitMs: 5_000,
} as const;

/** Limits of one connection, HTTP or WebSocket. */
export const connectionLimits = {
  /** Bytes that wait for a client, above which nothing more is computed for it. */
  unreadBytes: 1_000_000,
  /** Bytes that wait for a client, above which its pings are not answered. */
  unreadBytesForPongs: 64_000,
  /** Time without a byte taken, though bytes wait, after which a connection is ended, in milliseconds. */
  stalledMs: 30_000,
  /** HTTP requests that wait behind the one that is answered. */
  pipelinedRequests: 100,
  /** Operations of one WebSocket that are executed at once; a subscription counts until it stands. */
  operationsAtOnce: 8,
  /** Messages of one WebSocket that wait; while they do, it is not read. */
  waitingMessages: 64,
} as const;

export class QueryTooComplex extends DomainError {
  constructor(what: string, got: number, max: number) {
    super('QUERY_TOO_COMPLEX', `Expected at most ${max} ${what} in an operation, but got ${got}`, {
      max,
      got,
    });
  }
}
