import { isUtf8 } from 'node:buffer';
import type { RequestHandler } from 'express';
import { clipped } from '../errors.ts';
import { HttpError } from './http-error.ts';
import type { RequestScope } from './request-scope.ts';
import { isUpload } from './uploads.ts';

/** Media types of an answer (GraphQL over HTTP, 4.1). */
const answerTypes = ['application/graphql-response+json', 'application/json'];
/** Also as a client names them that knows the charset. */
const served = answerTypes.flatMap((type) => [type, `${type}; charset=utf-8`]);

/** Refuses a request whose answer its client could not read, before the operation has any effect. */
export const acceptsAnswer: RequestHandler = (request, _response, next) => {
  if (request.accepts(served) !== false) return next();
  const accepted = String(request.headers.accept);
  const hint = /text\/event-stream/i.test(accepted)
    ? `; ${whereSubscriptionsAre(request.headers)}`
    : '';
  throw new HttpError(
    406,
    'BAD_REQUEST',
    `Expected an Accept header that allows ${answerTypes.join(' or ')}, but got "${clipped(accepted)}"${hint}`,
  );
};

/** For a client that tried another way. */
export function whereSubscriptionsAre({ host }: Pick<RequestScope, 'host'>): string {
  return `for a subscription open a WebSocket to ws://${host}/graphql with the protocol graphql-transport-ws`;
}

/**
 * Bodies are JSON in UTF-8. Any other media type is 415; of what Express takes for JSON, invalid bytes are 400, which a
 * lenient decoder would make into other text.
 */
export const bodyIsJson: RequestHandler = (request, _response, next) => {
  // Null: without a body. Without a media type it is refused as one that is no GraphQL request.
  if (request.method !== 'POST' || !request.headers['content-type']) return next();
  if (request.is('application/json') !== false || isUpload(request)) return next();
  const got = clipped(request.headers['content-type']);
  throw new HttpError(
    415,
    'BAD_REQUEST',
    `Expected a body of application/json, or multipart/form-data with files, but got the media type "${got}"`,
  );
};

/** For `express.json`. @throws HttpError */
export function verifyUtf8(_request: unknown, _response: unknown, body: Buffer): void {
  if (isUtf8(body)) return;
  throw new HttpError(400, 'BAD_REQUEST', 'Expected a body in UTF-8, but got invalid bytes');
}

/** `utf8` is a common spelling of `utf-8`, which alone a parser of bodies knows; JSON is in no other charset (RFC 8259, 8.1). */
export const bodyInUtf8: RequestHandler = (request, _response, next) => {
  const type = request.headers['content-type'] ?? '';
  const [parameter, charset] = /;\s*charset\s*=\s*"?([^";\s]*)"?/i.exec(type) ?? [];
  if (parameter === undefined || charset === undefined) return next();
  if (!/^utf-?8$/i.test(charset)) {
    throw new HttpError(
      415,
      'BAD_REQUEST',
      `Expected a body in UTF-8, but got the charset "${clipped(charset)}"`,
    );
  }
  request.headers['content-type'] = type.replace(parameter, '; charset=utf-8');
  next();
};
