import {
  type ArgumentNode,
  GraphQLError,
  type GraphQLFormattedError,
  isValueNode,
  Kind,
  type ObjectFieldNode,
  parse,
  type Source,
  visit,
} from 'graphql';
import { databaseFault } from '../database-error.ts';
import { clipped, DomainError, type ErrorCode, type ErrorDetails, errorCodes } from '../errors.ts';
import type { Log } from './log.ts';

/** `extensions` of every error that leaves the server. */
export type ErrorExtensions = ErrorDetails & {
  readonly code: ErrorCode;
  readonly requestId: string;
};

/**
 * The one place where errors are turned into what a client reads. The message of a `DomainError` is passed on, GraphQL's
 * own errors keep their message and get a code; everything else is a defect: the client gets the request's id, by which
 * the log entry is found. Stack traces are never sent.
 */
export function mapError(
  error: unknown,
  { requestId, log }: { requestId: string; log: Log },
): GraphQLFormattedError & { extensions: ErrorExtensions } {
  const own = causeOf(error);
  const cause = ofDatabase(own) ?? own;
  const place =
    error instanceof GraphQLError ? { locations: error.locations, path: error.path } : {};
  const where = JSON.parse(JSON.stringify(place)); // Leaves out what is undefined.

  if (cause instanceof DomainError) {
    const { code, details, message } = cause;
    if (code === 'INTERNAL_SERVER_ERROR') log.error({ requestId, err: cause }, message);
    if (code === 'UNAVAILABLE') log.warn({ requestId, err: cause.cause }, message);
    return { message, ...where, extensions: { code, requestId, ...details } };
  }
  const code = codeOf(error, cause);
  if (cause instanceof GraphQLError && code !== 'INTERNAL_SERVER_ERROR') {
    // The outermost words name the variable or the place, too.
    const message = clipped((error instanceof GraphQLError ? error : cause).message, 1_000);
    const path = code === 'BAD_USER_INPUT' ? (inputPath(message) ?? literalPath(cause)) : undefined;
    return { message, ...where, extensions: { code, requestId, ...(path && { path }) } };
  }
  log.error({ requestId, err: cause, graphqlPath: where.path }, 'masked an error');
  return {
    message: `Something went wrong here; the server's log has more under ${requestId}`,
    ...where,
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
  };
}

/** GraphQL wraps what a resolver or a scalar throws, sometimes more than once. */
function causeOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/** Seconds after which a database that was away may be back. */
const databaseRetryAfter = 5;

/**
 * What is no fault of the statement is told to the client as it is: the same request may succeed later. Null for
 * everything else.
 */
export function ofDatabase(cause: unknown): DomainError | null {
  const options = { cause };
  const details = { retryAfter: databaseRetryAfter };
  switch (databaseFault(cause)) {
    case 'unavailable':
      return new DomainError(
        'UNAVAILABLE',
        'Expected the database to answer, but it did not: nothing may have changed, try again later',
        details,
        options,
      );
    case 'read-only':
      return new DomainError(
        'UNAVAILABLE',
        'Expected a database that can be written to, but for now it is read-only',
        details,
        options,
      );
    case 'full':
      return new DomainError(
        'QUOTA_EXCEEDED',
        'Expected room on the disk of the database, but it is full: nothing has changed',
        {},
        options,
      );
    case null:
      return null;
  }
}

function codeOf(error: unknown, cause: unknown): ErrorCode {
  for (const candidate of [cause, error]) {
    if (!(candidate instanceof GraphQLError)) continue;
    const known = errorCodes.find((code) => code === candidate.extensions['code']);
    if (known && known !== 'INTERNAL_SERVER_ERROR') return known;
    // The parser's own errors, and values that do not fit, come without a code.
    if (candidate.message.startsWith('Syntax Error')) return 'GRAPHQL_PARSE_FAILED';
    if (isBadValue(candidate)) return 'BAD_USER_INPUT';
    if (candidate.extensions['code'] === 'OPERATION_RESOLUTION_FAILURE') return 'BAD_REQUEST';
    // Apollo Server's own refusals, of a persisted query for example, have a status but no code.
    const { status } = Object(candidate.extensions['http']) as { readonly status?: number };
    if (status !== undefined && status >= 400 && status < 500) return 'BAD_REQUEST';
  }
  return 'INTERNAL_SERVER_ERROR';
}

/**
 * A variable's value that is not of its type, or one that validation cannot see: null in a variable that may
 * be null, for an argument that may not. The first node of GraphQL's own error is then the variable or the
 * value; of all others it is a field. Past fifty it gives up, with an error that names no node.
 */
function isBadValue({ nodes, path, message }: GraphQLError): boolean {
  const [node] = nodes ?? [];
  if (node === undefined) return message.startsWith('Too many errors processing variables');
  return isValueNode(node) || (node.kind === Kind.VARIABLE_DEFINITION && path === undefined);
}

/**
 * GraphQL says in words alone where a variable has a bad value: `Variable "$input" got invalid value -1 at
 * "input.settings.seed"; …`. The name of the variable is left out where a field inside it is meant.
 */
function inputPath(message: string): string[] | undefined {
  const [, variable] = /^Variable "\$(\w+)" got invalid value /.exec(message) ?? [];
  if (variable === undefined) return undefined;
  const place = new RegExp(` at "${variable}((?:\\.\\w+|\\[\\d+\\])+)"; `).exec(message)?.[1];
  return place === undefined ? [variable] : (place.match(/\w+/g) ?? []);
}

/** Of a value that is written in the document itself: the argument, and the fields of the inputs that it stands in. */
function literalPath({ nodes, source }: GraphQLError): readonly string[] | undefined {
  const [value] = nodes ?? [];
  const at = value && isValueNode(value) ? value.loc?.start : undefined;
  if (at === undefined || source === undefined) return undefined;
  let paths = pathsOf.get(source);
  if (paths === undefined) {
    paths = pathsOfValues(source);
    pathsOf.set(source, paths);
  }
  return paths.get(at);
}

/** A document may hold many values that are none: it is read once for all of them. */
const pathsOf = new WeakMap<Source, Map<number, readonly string[]>>();

function pathsOfValues(source: Source): Map<number, readonly string[]> {
  const paths = new Map<number, readonly string[]>();
  let path: readonly string[] = [];
  const inner = {
    enter: (node: ArgumentNode | ObjectFieldNode) => {
      path = [...path, node.name.value];
    },
    leave: () => {
      path = path.slice(0, -1);
    },
  };
  visit(parse(source), {
    Argument: inner,
    ObjectField: inner,
    enter: (node) => {
      if (isValueNode(node) && node.loc && path.length > 0) paths.set(node.loc.start, path);
    },
  });
  return paths;
}

/** What a fault of each code is in HTTP, outside of GraphQL. */
export function statusOf(code: ErrorCode): number {
  switch (code) {
    case 'UNAUTHENTICATED':
      return 401;
    case 'FORBIDDEN':
      return 403;
    case 'NOT_FOUND':
      return 404;
    case 'RATE_LIMITED':
    case 'QUEUE_FULL':
      return 429;
    case 'INTERNAL_SERVER_ERROR':
    case 'ENGINE_FAILED':
      return 500;
    case 'MODEL_UNAVAILABLE':
    case 'OUT_OF_MEMORY':
    case 'UNAVAILABLE':
      return 503;
    case 'QUOTA_EXCEEDED':
      return 507;
    default:
      return 400;
  }
}
