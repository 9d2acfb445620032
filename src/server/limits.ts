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

/** What a document may hold, beside its tokens: the time to validate it grows with the square of each. */
export const documentLimits = {
  fragments: 80,
  /** Uses of fragments, those inside a selection (`... on Type`) included. */
  spreads: 150,
  /** Questions about the schema itself: an introspection query has one or two. */
  introspections: 3,
  /** Fields that stand more than once in their selection, in the whole document. */
  repeatedFields: 30,
} as const;

/** Bytes that clients have sent, and that nothing has been made of yet. */
export const incomingLimits = {
  /** A body, or a message, up to this is not counted: those of honest clients are smaller by far. */
  uncountedBytes: 16_384,
  /** Bodies that arrive, and messages that arrive or wait, of all clients together. */
  totalBytes: 64_000_000,
  /** Messages of one WebSocket that wait; above it, it is not read. */
  socketBytes: 1_000_000,
  /** Time for a body, or a message, from its first byte to its last, in milliseconds. */
  arrivalMs: 10_000,
  /** TCP connections at once. */
  connections: 6_000,
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
  /** What counts as tiny, which most operations are, and as small: a page of 50 generations with both prompts is. */
  tinyUpTo: { bytes: 300_000, statements: 10, fields: 1_000 },
  smallUpTo: { bytes: 2_500_000, statements: 40, fields: 3_000 },
  tiny: { bytes: 30_000_000, statements: 100 },
  /** 40 mutations, which the one connection of the embedded database takes a quarter of a second for. */
  small: { bytes: 16_000_000, statements: 200 },
  large: { bytes: 16_000_000, statements: 250 },
  /** Subscriptions that read the state as it stands, or the log, before they wait for news. */
  subscriptions: { bytes: 100_000_000, statements: 1_600 },
  /** How often smaller ones may pass one that there is no room for. */
  passes: 50,
  /** Time that one waits for its turn before it is told to come again, in milliseconds. */
  waitMs: 5_000,
  /** The same of a subscription: after a restart all viewers come back at once. */
  subscriptionWaitMs: 30_000,
} as const;

/** Limits of one connection, HTTP or WebSocket. */
export const connectionLimits = {
  /** Bytes that wait for a client, above which nothing more is computed for it. */
  unreadBytes: 1_000_000,
  /** Bytes that wait for a client, above which its pings are not answered. */
  unreadBytesForPongs: 64_000,
  /** Time in which a client must take `takenBytes`, or all that waits for it; else its connection is ended. In milliseconds. */
  stalledMs: 30_000,
  takenBytes: 16_384,
  /** Bytes that wait for all clients together, above which the slowest of them are ended. */
  unreadTotalBytes: 150_000_000,
  /** HTTP requests that wait behind the one that is answered. */
  pipelinedRequests: 100,
  /** Operations of one WebSocket that are executed at once; a subscription counts until it stands. */
  operationsAtOnce: 8,
  /** Bytes of a ping message, which is sent back. */
  pingBytes: 4_096,
  /** Messages of one WebSocket that wait; while they do, it is not read. */
  waitingMessages: 64,
} as const;

/** Limits where a credential is asked for. */
export const accessLimits = {
  /** Open requests for images in OpenAI's form, of one user. */
  imageRequestsOfUser: 32,
  /** Failed sign-ins of one address, above which no reason is given and none is written down. */
  failuresPerMinute: 20,
  /** Credentials that use their rate limit to the full behind one address. */
  credentialsOfAddress: 10,
  /** WebSockets of one user at once. */
  socketsOfUser: 100,
} as const;

export class QueryTooComplex extends DomainError {
  constructor(what: string, got: number, max: number) {
    super('QUERY_TOO_COMPLEX', `Expected at most ${max} ${what} in an operation, but got ${got}`, {
      max,
      got,
    });
  }
}

/** Of uploads, of all clients together. */
export const uploadLimits = {
  /** Read at once, in memory in the end. */
  atOnce: 4,
  /** In one request. */
  files: 4,
  /** Time for all of a request to arrive. */
  arrivalMs: 120_000,
} as const;
