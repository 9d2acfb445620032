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
  'IDEMPOTENCY_CONFLICT',
  'MODEL_UNAVAILABLE',
  'OUT_OF_MEMORY',
  'ENGINE_FAILED',
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
};

/**
 * A fault that the caller is told about as it is. Anything else that is thrown is a defect: it is
 * masked and logged at the edge. Each fault is a subclass that stands beside its noun.
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

/** A start that cannot go on: `main` prints the one sentence and exits with code 1. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
