import type { ErrorRequestHandler } from 'express';
import { DomainError, type ErrorCode } from '../errors.ts';
import { LinkExpired } from '../services/library/links.ts';
import { mapError, statusOf } from './error-mapping.ts';
import { HttpError } from './http-error.ts';
import { requestLimits } from './limits.ts';
import type { Log } from './log.ts';
import { newRequestId, requestScope } from './request-scope.ts';

function badBody(message: string): DomainError {
  return new DomainError(
    'BAD_REQUEST',
    `Expected a body of JSON of at most ${requestLimits.bodyBytes} bytes, but got: ${message}`,
  );
}

/** Outside of GraphQL, too, an error is JSON with a code. */
export function answerError(log: Log): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error); // Half an answer: the connection is cut.
    const fault = isBodyError(error) ? badBody(error.message) : error;
    const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
    const mapped = mapError(fault, { requestId, log });
    for (const name of ['Cache-Control', 'ETag', 'Content-Disposition', 'Content-Type'])
      response.removeHeader(name);
    const { retryAfter } = mapped.extensions;
    if (retryAfter !== undefined) response.set('Retry-After', String(retryAfter));
    const status = isBodyError(error) ? error.status : statusOfFault(fault, mapped.extensions.code);
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

function statusOfFault(fault: unknown, code: ErrorCode): number {
  if (fault instanceof HttpError) return fault.status;
  return fault instanceof LinkExpired ? 410 : statusOf(code);
}
