import { pipeline } from 'node:stream/promises';
import type { Request, RequestHandler, Response } from 'express';
import { DomainError } from '../errors.ts';
import { negotiateFormat } from '../images/formats.ts';
import type { LinkedFile, Links } from '../services/library/links.ts';
import { type FoundFile, isOriginal, type Renditions } from '../services/library/renditions.ts';
import type { Storage } from '../storage/storage.ts';

/** GET and HEAD of `/files/…`: what `Asset.url` links to. */
export function files(deps: {
  links: Links;
  renditions: Renditions;
  storage: Storage;
}): RequestHandler {
  const { links, renditions, storage } = deps;
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new BadMethod(request.method);
    const [path = '', query = ''] = request.originalUrl.split('?', 2);
    const link = links.verify(path, query);
    const file = await renditions.find(link, (original) =>
      negotiateFormat(request.headers.accept, original),
    );
    writeHeaders(response, link, file);
    if (matches(request.headers['if-none-match'], file.tag)) {
      response.status(304).end();
      return;
    }
    const range = readRange(request, file);
    if (range === 'unsatisfiable') {
      response.removeHeader('Cache-Control');
      response.status(416).set('Content-Range', `bytes */${file.bytes}`).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: file.bytes - 1 };
    response.status(range ? 206 : 200).set('Content-Length', `${end - start + 1}`);
    if (range) response.set('Content-Range', `bytes ${start}-${end}/${file.bytes}`);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    await send(storage, file, { start, end }, response);
  };
}

export class BadMethod extends DomainError {
  constructor(got: string) {
    super('BAD_REQUEST', `Expected GET or HEAD, but got ${got.slice(0, 20)}`);
  }
}

async function send(
  storage: Storage,
  file: FoundFile,
  range: { start: number; end: number },
  response: Response,
): Promise<void> {
  const bytes = await storage.open(file.storageKey, range);
  try {
    await pipeline(bytes, response);
  } catch (error) {
    // Whoever went away half-way is no fault of the server's.
    if (!response.destroyed) throw error;
  }
}

function writeHeaders(response: Response, link: LinkedFile, file: FoundFile): void {
  response.set({
    'Content-Type': file.mime,
    ETag: `"${file.tag}"`,
    // The same link gives the same bytes for ever, to whoever has it.
    'Cache-Control': 'private, max-age=31536000, immutable',
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
    // Pages of other origins may show what they were given a link to.
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Content-Disposition': disposition(link.download, file.name),
  });
  if (link.format === null && !isOriginal(link)) response.vary('Accept');
}

/** RFC 6266: a plain name for old readers, the real one for all others. */
function disposition(isDownload: boolean, name: string): string {
  const plain = name.replace(/[^\w. -]+/g, '_').slice(-100);
  const encoded = encodeURIComponent(name.replace(/\p{Surrogate}/gu, '_')).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const kind = isDownload ? 'attachment' : 'inline';
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function matches(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((part) => part.trim().replace(/^W\//, ''));
  return tags.includes(`"${tag}"`) || tags.includes('*');
}

/** One range of bytes; several, or what is no range at all, count as none (RFC 9110, 14.2). */
function readRange(
  request: Request,
  { bytes, tag }: FoundFile,
): { start: number; end: number } | 'unsatisfiable' | null {
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== `"${tag}"`) return null;
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(request.headers.range ?? '');
  const [, from = '', to = ''] = found ?? [];
  if (found === null || (from === '' && to === '')) return null;
  const start = from === '' ? Math.max(0, bytes - Number(to)) : Number(from);
  const end = from === '' || to === '' ? bytes - 1 : Math.min(bytes - 1, Number(to));
  if (from !== '' && to !== '' && Number(to) < Number(from)) return null;
  return start > end || start >= bytes ? 'unsatisfiable' : { start, end };
}
