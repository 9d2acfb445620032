import { DomainError, type ErrorCode, type ErrorDetails } from '../errors.ts';

/** A request that is refused before or outside of GraphQL, with the HTTP status that its specification names. */
export class HttpError extends DomainError {
  constructor(
    readonly status: number,
    code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(code, message, details);
  }
}
