/** Why a statement failed that would have succeeded on a sound database. */
export type DatabaseFault =
  /** It did not answer, or ended the connection, or the statement waited for too long: the same may succeed later. */
  'unavailable' | 'read-only' | 'full';

/** Prisma's own codes, https://www.prisma.io/docs/orm/reference/error-reference: no connection, or no end in time. */
const prismaCodes: ReadonlySet<string> = new Set([
  'P1001', // cannot reach the server
  'P1002', // the server timed out
  'P1008', // the operation timed out
  'P1017', // the server has closed the connection
  'P2024', // no free connection in time
  'P2028', // a transaction that could not start, or did not end in time
]);

/** SQLSTATE, PostgreSQL's documentation, appendix A; a class is its first two letters. */
const sqlStates: Readonly<Record<string, DatabaseFault>> = {
  '08': 'unavailable', // connection exceptions
  '40001': 'unavailable', // serialization failure
  '40P01': 'unavailable', // deadlock
  '53': 'unavailable', // too many connections, out of memory
  '53100': 'full',
  '55P03': 'unavailable', // lock_timeout
  '57014': 'unavailable', // statement_timeout
  '57P01': 'unavailable', // it shuts down, or an administrator ended the connection
  '57P02': 'unavailable', // it restarts after a crash
  '57P03': 'unavailable', // it starts
  '57P05': 'unavailable', // idle_session_timeout
  '25006': 'read-only',
  '25P03': 'unavailable', // idle_in_transaction_session_timeout
};

/** What the driver says of a connection that broke or could not be had, with no code; Prisma's words may stand before it. */
const driverMessages =
  /(^|\n)(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|connect E[A-Z]+ )/;

/** Kinds of the driver adapter that are faults of the connection. */
const adapterKinds: ReadonlySet<string> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
]);

/** Codes of Node for a socket that could not be opened, or broke. */
const socketCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Null for everything that is a fault of the statement, or of no database at all. */
export function databaseFault(error: unknown): DatabaseFault | null {
  if (!(error instanceof Error)) return null;
  const { code, meta, message, cause } = error as Error & { code?: unknown; meta?: unknown };
  const adapter = Object(Object(Object(meta).driverAdapterError).cause ?? cause);
  const state = String(adapter.originalCode ?? code ?? '');
  const isOfConnection =
    prismaCodes.has(String(code)) ||
    socketCodes.has(String(code)) ||
    adapterKinds.has(String(adapter.kind)) ||
    driverMessages.test(message);
  return (
    sqlStates[state] ?? sqlStates[state.slice(0, 2)] ?? (isOfConnection ? 'unavailable' : null)
  );
}
