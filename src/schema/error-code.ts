import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import { type ErrorCode as Code, errorCodes } from '../errors.ts';
import { describe, enumOf } from './enumeration.ts';

export const ErrorCode = enumOf(errorCodes);

const descriptions = {
  GRAPHQL_PARSE_FAILED: 'The document is not GraphQL.',
  GRAPHQL_VALIDATION_FAILED: 'The document does not fit the schema.',
  PERSISTED_QUERY_NOT_FOUND:
    'The hash of a persisted query is not known (any more): send the query.',
  PERSISTED_QUERY_NOT_SUPPORTED: 'Persisted queries are switched off.',
  BAD_REQUEST: 'The HTTP request itself is not one that can be answered.',
  BAD_USER_INPUT:
    'A value is outside of what is accepted: `path`, `min`, `max` and `got` say which.',
  BAD_CURSOR: 'A cursor is not one of this list, or of this event log.',
  QUERY_TOO_COMPLEX:
    'The operation is too deep, has too many aliases, or asks for too much at once.',
  UPLOAD_REJECTED: 'A file is no picture that can be taken.',
  UNAUTHENTICATED: 'It is not known who asks.',
  FORBIDDEN: 'Whoever asks may not.',
  NOT_FOUND: 'It does not exist, or is not yours: the two look the same.',
  QUEUE_FULL: 'Too many generations wait already.',
  QUOTA_EXCEEDED: 'No room is left.',
  RATE_LIMITED: 'Too many requests at once: try again after `retryAfter` seconds.',
  IDEMPOTENCY_CONFLICT: 'The idempotency key was used before, with another input.',
  MODEL_UNAVAILABLE: 'The model is there, but cannot be used: `Model.unavailableReason` says why.',
  OUT_OF_MEMORY: 'The picture does not fit into memory.',
  ENGINE_FAILED: 'The engine could not finish the picture.',
  NOT_FINITE: 'The model computed values that are not numbers. The same settings would fail again.',
  TIMED_OUT: 'It took too long.',
  INTERNAL_SERVER_ERROR: 'A defect of the server: its log has more under the same `requestId`.',
} as const satisfies Record<Code, string>;

registerEnumType(ErrorCode, {
  name: 'ErrorCode',
  description:
    'What went wrong, for programs: in `errors[].extensions.code` and in `Failure.code`.',
  valuesConfig: describe(descriptions),
});
