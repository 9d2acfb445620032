import type { Request, RequestHandler } from 'express';
import graphqlUploadExpress from 'graphql-upload/graphqlUploadExpress.mjs';
import { DomainError } from '../errors.ts';
import { HttpError } from './http-error.ts';
import { requestLimits, uploadLimits } from './limits.ts';

/**
 * Bodies of the GraphQL multipart request specification. Who sends one is found out before it is read; few are read at once,
 * each within a time; files go to the disk as they come. @throws HttpError, DomainError
 */
export function uploads({
  authenticate,
  maxBytes,
}: {
  /** @throws DomainError */
  authenticate: (request: Request) => Promise<void>;
  maxBytes: number;
}): RequestHandler {
  const { atOnce, files, arrivalMs } = uploadLimits;
  const options = { maxFieldSize: requestLimits.bodyBytes, maxFileSize: maxBytes, maxFiles: files };
  const parse = graphqlUploadExpress(options) as RequestHandler;
  let running = 0;
  return async (request, response, next) => {
    if (!isUpload(request)) return next();
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > files * maxBytes + requestLimits.bodyBytes) throw tooLarge(declared);
    await authenticate(request);
    if (running >= atOnce) throw tooMany();
    running++;
    const late = setTimeout(() => request.socket.destroy(), arrivalMs);
    request.once('end', () => clearTimeout(late));
    response.once('close', () => {
      clearTimeout(late);
      running--;
    });
    parse(request, response, (fault?: unknown) =>
      next(fault === undefined ? fault : refusal(fault)),
    );
  };
}

export function isUpload(request: Request): boolean {
  return request.method === 'POST' && request.is('multipart/form-data') !== false;
}

/** What the parser throws says what was wrong, and with which status. */
function refusal(fault: unknown): unknown {
  const { status, message } = Object(fault);
  if (typeof status !== 'number' || status < 400 || status >= 500) return fault;
  return new HttpError(
    status,
    'UPLOAD_REJECTED',
    `Expected a GraphQL multipart request, but got: ${message}`,
  );
}

function tooLarge(got: number): HttpError {
  return new HttpError(413, 'UPLOAD_REJECTED', `Expected a smaller upload, but got ${got} bytes`);
}

function tooMany(): DomainError {
  const text = 'Expected fewer uploads at once: send it again';
  return new DomainError('RATE_LIMITED', text, { retryAfter: 2 });
}
