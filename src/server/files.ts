import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create as contentDisposition } from 'content-disposition';
import type { Request, RequestHandler, Response } from 'express';
import { negotiateFormat } from '../images/formats.ts';
import type { LinkedFile, Links } from '../services/library/links.ts';
import { type FoundFile, isNegotiated, type Renditions } from '../services/library/renditions.ts';
import { ObjectMissing, type Storage } from '../storage/storage.ts';
import { HttpError } from './http-error.ts';

/** GET and HEAD of `/files/…`: what `Asset.url` links to. */
export function files(deps: {
  links: Links;
  renditions: Renditions;
  storage: Storage;
}): RequestHandler {
  const { links, renditions, storage } = deps;
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.set('Allow', 'GET, HEAD');
      throw new HttpError(405, 'BAD_REQUEST', `Expected GET or HEAD, but got ${request.method}`);
    }
    const [path = '', ...query] = request.originalUrl.split('?');
    const link = links.verify(path, query.join('?'));
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const find = () =>
      renditions.find(
        link,
        (original) => negotiateFormat(request.headers.accept, original),
        gone.signal,
      );
    const file = await find();
    writeHeaders(response, link, file);
    const ifMatch = request.headers['if-match'];
    if (ifMatch !== undefined && !matches(ifMatch, file.tag, { isStrong: true })) {
      throw new HttpError(412, 'BAD_REQUEST', `Expected the file "${file.tag}", as If-Match says`);
    }
    // Not Express's `fresh`: it is false where the request has `Cache-Control: no-cache`, which `fetch` adds itself.
    if (matches(request.headers['if-none-match'], file.tag)) {
      response.status(304).end();
      return;
    }
    const range = readRange(request, file);
    if (range === 'unsatisfiable') {
      response.set('Content-Range', `bytes */${file.bytes}`);
      throw new HttpError(416, 'BAD_REQUEST', `Expected a range within ${file.bytes} bytes`);
    }
    const { start, end } = range ?? { start: 0, end: file.bytes - 1 };
    response.status(range ? 206 : 200).set('Content-Length', `${end - start + 1}`);
    if (range) response.set('Content-Range', `bytes ${start}-${end}/${file.bytes}`);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const open = () => storage.open(file.storageKey, { start, end });
    await send(await againWhereDropped(open, find), response);
  };
}

/** Renditions that are seldom used make room for others: one may be dropped between finding and opening it. */
const tries = 5;

/** The same rendition is the same file, byte for byte. */
async function againWhereDropped(
  open: () => Promise<Readable>,
  makeAgain: () => Promise<unknown>,
): Promise<Readable> {
  for (let left = tries; ; left--) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof ObjectMissing) || left === 0) throw error;
      await makeAgain();
    }
  }
}

async function send(bytes: Readable, response: Response): Promise<void> {
  try {
    await pipeline(bytes, response);
  } catch (error) {
    // A client that has gone away half-way is no fault of the server.
    if (!response.destroyed) throw error;
  }
}

function writeHeaders(response: Response, link: LinkedFile, file: FoundFile): void {
  response.set({
    'Content-Type': file.mime,
    ETag: `"${file.tag}"`,
    // A link always gives the same bytes.
    'Cache-Control': 'private, max-age=31536000, immutable',
    'Accept-Ranges': 'bytes',
    // Opened as a page, a file must not run anything.
    'Content-Security-Policy': "default-src 'none'; sandbox",
    // Pages of other origins may show an image that they have a link to.
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Content-Disposition': contentDisposition(file.name, {
      type: link.download ? 'attachment' : 'inline',
    }),
  });
  if (isNegotiated(link)) response.vary('Accept');
}

/** RFC 9110, 13.1.1 and 13.1.2: If-Match compares strongly, so that a weak tag matches nothing. */
function matches(header: string | undefined, tag: string, { isStrong = false } = {}): boolean {
  const tags = (header ?? '').split(',').map((part) => part.trim());
  const compared = isStrong ? tags : tags.map((part) => part.replace(/^W\//, ''));
  return compared.includes('*') || compared.includes(`"${tag}"`);
}

/** One range of bytes, in a GET; several, or a header that is none, count as no range (RFC 9110, 14.2). */
function readRange(
  request: Request,
  { bytes, tag }: FoundFile,
): { start: number; end: number } | 'unsatisfiable' | null {
  if (request.method !== 'GET') return null;
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== `"${tag}"`) return null;
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  if (Number(last) < Number(first)) return null; // No valid range, though Express calls it unsatisfiable.
  const ranges = request.range(bytes);
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === undefined || ranges === -2 || ranges.type !== 'bytes') return null;
  return ranges.length === 1 ? ranges[0]! : null;
}
