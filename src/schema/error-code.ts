import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';
import { type ErrorCode as Code, errorCodes } from '../errors.ts';
import { describe, enumOf } from './enumeration.ts';

export const ErrorCode = enumOf(errorCodes);

const descriptions = {
  GRAPHQL_PARSE_FAILED: 'The document cannot be parsed as GraphQL.',
  GRAPHQL_VALIDATION_FAILED: 'The document does not match the schema.',
  PERSISTED_QUERY_NOT_FOUND: 'The hash of a persisted query is unknown: send the query with it.',
  PERSISTED_QUERY_NOT_SUPPORTED: 'The server accepts no persisted queries.',
  BAD_REQUEST: 'The request is not a GraphQL request that can be answered.',
  BAD_USER_INPUT:
    'The input is refused. `problems` lists everything that is wrong with it; `path`, `min`, `max` and `got` are those of the first one.',
  BAD_CURSOR: 'A cursor belongs to another list, order or event log.',
  QUERY_TOO_COMPLEX:
    'The operation is too deep, or may cost too much: fields and aliases, bytes of its answer, or statements of the database.',
  UPLOAD_REJECTED: 'A file is not an image of an accepted format and size.',
  UNAUTHENTICATED: 'The request has no valid credentials.',
  FORBIDDEN: 'The viewer does not have permission.',
  NOT_FOUND: 'The object does not exist, or belongs to another user.',
  QUEUE_FULL: 'The viewer has too many waiting generations.',
  QUOTA_EXCEEDED: 'A quota, or the storage, is used up.',
  RATE_LIMITED: 'Too many requests at once. Try again after `retryAfter` seconds.',
  UNAVAILABLE:
    'The database does not answer, or is read-only. Try again after `retryAfter` seconds.',
  IDEMPOTENCY_CONFLICT: 'The idempotency key was used before with another input.',
  MODEL_UNAVAILABLE: 'The model is installed but cannot be used; see `Model.unavailableReason`.',
  OUT_OF_MEMORY: 'The images do not fit into memory.',
  ENGINE_FAILED: 'The engine failed.',
  NOT_FINITE: 'The model computed values that are not numbers. The same settings would fail again.',
  TIMED_OUT: 'A time limit was exceeded.',
  INTERNAL_SERVER_ERROR:
    'An unexpected error. The log of the server has details under the same `requestId`.',
} as const satisfies Record<Code, string>;

registerEnumType(ErrorCode, {
  name: 'ErrorCode',
  description: 'Kind of an error, in `errors[].extensions.code` and in `Failure.code`.',
  valuesConfig: describe(descriptions),
});
