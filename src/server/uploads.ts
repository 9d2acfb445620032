import type { Request, RequestHandler } from 'express';
import graphqlUploadExpress from 'graphql-upload/graphqlUploadExpress.mjs';
import { DomainError } from '../errors.ts';
import { HttpError } from './http-error.ts';
import { requestLimits, uploadLimits } from './limits.ts';

/** Room for files that arrive, of all clients together. */
export type UploadRoom = {
  /** Gives what is to be called when nothing of the upload is kept any more. @throws DomainError RATE_LIMITED */
  enter(request: Request): () => void;
};

/** Few at once, and each within a time. */
export function createUploadRoom(): UploadRoom {
  const { atOnce, arrivalMs } = uploadLimits;
  const inside = new Set<Request>();
  return {
    enter(request) {
      if (inside.size >= atOnce) throw tooMany();
      inside.add(request);
      const late = setTimeout(() => request.socket.destroy(), arrivalMs);
      request.once('end', () => clearTimeout(late));
      return () => {
        clearTimeout(late);
        inside.delete(request);
      };
    },
  };
}

/**
 * Bodies of the GraphQL multipart request specification. Who sends one is found out before it is read; files go to the disk as they come. @throws HttpError, DomainError
 */
export function uploads({
  authenticate,
  maxBytes,
  room,
}: {
  /** @throws DomainError */
  authenticate: (request: Request) => Promise<void>;
  maxBytes: number;
  room: UploadRoom;
}): RequestHandler {
  const { files } = uploadLimits;
  const options = { maxFieldSize: requestLimits.bodyBytes, maxFileSize: maxBytes, maxFiles: files };
  const parse = graphqlUploadExpress(options) as RequestHandler;
  return async (request, response, next) => {
    if (!isUpload(request)) return next();
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > files * maxBytes + requestLimits.bodyBytes) throw tooLarge(declared);
    await authenticate(request);
    response.once('close', room.enter(request));
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
