import { printable } from './printable.ts';

/** Every code that a client can meet, in `errors[].extensions.code` or in `Failure.code`. */
export const errorCodes = [
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'BAD_CURSOR',
  'QUERY_TOO_COMPLEX',
  'UPLOAD_REJECTED',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'QUEUE_FULL',
  'QUOTA_EXCEEDED',
  'RATE_LIMITED',
  'UNAVAILABLE',
  'IDEMPOTENCY_CONFLICT',
  'MODEL_UNAVAILABLE',
  'OUT_OF_MEMORY',
  'ENGINE_FAILED',
  'NOT_FINITE',
  'TIMED_OUT',
  'INTERNAL_SERVER_ERROR',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** What a client may want to read by program: the input field, its limits, and what came. */
export type ErrorDetails = {
  path?: readonly string[];
  min?: number;
  max?: number;
  got?: string | number;
  /** Seconds after which the same request may succeed. */
  retryAfter?: number;
  /** Every problem of an input, where the input was the reason. */
  problems?: readonly InputProblem[];
};

/** One problem of an input, as a client reads it. */
export type InputProblem = {
  readonly path: readonly string[];
  readonly code: ErrorCode;
  readonly message: string;
  readonly min?: number;
  readonly max?: number;
  readonly got?: string | number;
};

/**
 * A fault that the caller is told about as it is. Anything else that is thrown is a defect: it is
 * masked and logged at the edge. A class of its own only where code branches on it.
 */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }
}

/** What was wrong with one part of an input. */
export type Mismatch = {
  /** From the outermost field inwards, for example `['settings', 'prompt']`. Empty: the input as a whole. */
  readonly path: readonly string[];
  /** As it goes into the sentence `Expected … in settings.prompt, but got …`. */
  readonly expected: string;
  /** The value itself, or what it was in words (`phrase`). A long text is cut off. */
  readonly got: string | number | { readonly phrase: string; readonly value?: string | number };
  readonly min?: number;
  readonly max?: number;
  /** BAD_USER_INPUT where left out. */
  readonly code?: ErrorCode;
};

/**
 * An input that was refused, with everything that is wrong with it. Code, path and limits of the error are
 * those of the first problem; `details.problems` has all of them.
 * @example throw new BadInput({ path: ['ids'], expected: `at most ${max} ids`, got: ids.length, max });
 */
export class BadInput extends DomainError {
  constructor(first: Mismatch, ...others: readonly Mismatch[]) {
    const problems = [first, ...others].map(problemOf);
    const { code, path, min, max, got } = problems[0]!;
    const message = problems.map((problem) => problem.message).join('; ');
    const limits = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
    const details = { ...(path.length === 0 ? {} : { path }), ...limits };
    super(code, message, { ...details, ...(got === undefined ? {} : { got }), problems });
  }
}

function problemOf({ path, expected, got, min, max, code }: Mismatch): InputProblem {
  const given = typeof got === 'object' ? got.value : got;
  const value = typeof given === 'string' ? clipped(given) : given;
  const quoted = typeof value === 'string' ? `"${value}"` : value;
  const place = path.length === 0 ? '' : ` in ${path.join('.')}`;
  return {
    path,
    code: code ?? 'BAD_USER_INPUT',
    message: `Expected ${expected}${place}, but got ${typeof got === 'object' ? got.phrase : quoted}`,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(value === undefined ? {} : { got: value }),
  };
}

/** Short enough for an error message. */
export function clipped(text: string, length = 100): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** A start that cannot go on: `main` prints the one sentence and exits with code 1. */
export class StartError extends Error {
  override readonly name = 'StartError';

  /** For a terminal: names of files and folders may hold anything. */
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}
