import type { RequestHandler } from 'express';
import { clipped } from '../errors.ts';
import { HttpError } from './http-error.ts';

/** Media types of an answer (GraphQL over HTTP, 4.1). */
const answerTypes = ['application/graphql-response+json', 'application/json'];
/** Also as a client names them that knows the charset. */
const served = answerTypes.flatMap((type) => [type, `${type}; charset=utf-8`]);

/** Refuses a request whose answer its client could not read, before the operation has any effect. */
export const acceptsAnswer: RequestHandler = (request, _response, next) => {
  if (request.accepts(served) !== false) return next();
  const got = clipped(String(request.headers.accept));
  throw new HttpError(
    406,
    'BAD_REQUEST',
    `Expected an Accept header that allows ${answerTypes.join(' or ')}, but got "${got}"`,
  );
};

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
