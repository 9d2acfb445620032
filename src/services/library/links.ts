import { createHmac, timingSafeEqual } from 'node:crypto';
import { DomainError } from '../../errors.ts';
import { type ImageFormat, imageFormats } from '../../images/formats.ts';
import { type ImageFit, renditionWidths, snapWidth } from '../../images/renditions.ts';
import { isUuid } from '../relay/global-id.ts';

/** What a link gives. Without width, height, format and stripMetadata: the original, byte for byte. */
export type LinkOptions = {
  /** Pixels. */
  readonly width?: number | null;
  readonly height?: number | null;
  readonly fit?: ImageFit | null;
  /** Null: as the request's Accept header says. */
  readonly format?: ImageFormat | null;
  readonly download?: boolean | null;
  readonly stripMetadata?: boolean | null;
};

/** What a link that was verified asks for. */
export type LinkedFile = {
  /** Row id of the asset. */
  readonly assetId: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly fit: ImageFit;
  readonly format: ImageFormat | null;
  readonly download: boolean;
  readonly stripMetadata: boolean;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
};

export type Links = {
  /** Path and query of a link; the same, byte for byte, all (UTC) day long. @throws BadLinkSize */
  sign(assetId: string, options: LinkOptions): string;
  /** Until when links signed now work: from a day to two days. */
  expiry(): Date;
  /** @throws BadLink (not ours, or altered), LinkExpired */
  verify(path: string, query: string): LinkedFile;
};

/** It is refused as a whole: which part was altered cannot be told. */
export class BadLink extends DomainError {
  constructor() {
    super(
      'FORBIDDEN',
      'Expected a link as Asset.url gave it, but got one that was altered or cut off',
    );
  }
}

export class LinkExpired extends DomainError {
  constructor(expiredAt: Date) {
    super(
      'NOT_FOUND',
      `Expected a link that is still valid, but this one ended at ${expiredAt.toISOString()}: ask for Asset.url again`,
    );
  }
}

export class BadLinkSize extends DomainError {
  constructor(name: 'width' | 'height', got: number) {
    const max = Math.max(...renditionWidths);
    super('BAD_USER_INPUT', `Expected a ${name} from 1 to ${max} pixels, but got ${got}`, {
      path: [name],
      min: 1,
      max,
      got,
    });
  }
}

const prefix = '/files/';
const dayMs = 24 * 60 * 60 * 1000;

/** `secret`: hexadecimal, out of the installation's row. */
export function createLinks({
  secret,
  now = Date.now,
}: {
  secret: string;
  now?: () => number;
}): Links {
  const key = Buffer.from(secret, 'hex');
  const signatureOf = (signed: string) =>
    createHmac('sha256', key).update(signed).digest('base64url').slice(0, signatureLength);
  // Rounded to the day's start: a link that changed with every request would be fetched every time.
  const expiresAt = () => (Math.floor(now() / dayMs) + 2) * dayMs;

  return {
    sign(assetId, options) {
      const unsigned = `${prefix}${assetId}?${parametersOf(options, expiresAt())}`;
      return `${unsigned}&signature=${signatureOf(unsigned)}`;
    },
    expiry: () => new Date(expiresAt()),
    verify(path, query) {
      const [, unsignedQuery = '', signature = ''] = signedQuery.exec(query) ?? [];
      const expected = Buffer.from(signatureOf(`${path}?${unsignedQuery}`));
      const got = Buffer.from(signature);
      if (got.length !== expected.length || !timingSafeEqual(got, expected)) throw new BadLink();
      const file = parse(path, new URLSearchParams(unsignedQuery));
      if (file.expiresAt <= now()) throw new LinkExpired(new Date(file.expiresAt));
      return file;
    },
  };
}

/** 192 bits: shorter to look at than all 256, and as impossible to guess. */
const signatureLength = 32;
const signedQuery = /^(.*)&signature=([\w-]+)$/;

/** In one order, and only what is not the default: one meaning, one link. */
function parametersOf(options: LinkOptions, expiresAt: number): URLSearchParams {
  const { width, height, fit, format, download, stripMetadata } = options;
  const isBox = width != null && height != null;
  const entries: (readonly [string, string] | null)[] = [
    width == null ? null : ['width', `${snapped('width', width)}`],
    height == null ? null : ['height', `${snapped('height', height)}`],
    // A fit says something of a box only: with one side it is all the same.
    isBox && fit === 'COVER' ? ['fit', 'COVER'] : null,
    format ? ['format', format] : null,
    download ? ['download', '1'] : null,
    stripMetadata ? ['strip', '1'] : null,
    ['expires', `${expiresAt / 1000}`],
  ];
  return new URLSearchParams(Object.fromEntries(entries.filter((entry) => entry !== null)));
}

function snapped(name: 'width' | 'height', got: number): number {
  if (!Number.isInteger(got) || got < 1 || got > Math.max(...renditionWidths)) {
    throw new BadLinkSize(name, got);
  }
  return snapWidth(got);
}

/** What we signed, we wrote: anything unexpected is a link of another version of the program. */
function parse(path: string, query: URLSearchParams): LinkedFile {
  const assetId = path.slice(prefix.length);
  const number = (name: string) => (query.has(name) ? Number(query.get(name)) : null);
  const format = query.get('format');
  const expires = number('expires');
  if (!path.startsWith(prefix) || !isUuid(assetId) || expires === null) throw new BadLink();
  return {
    assetId,
    width: number('width'),
    height: number('height'),
    fit: query.get('fit') === 'COVER' ? 'COVER' : 'CONTAIN',
    format: imageFormats.find((known) => known === format) ?? null,
    download: query.has('download'),
    stripMetadata: query.has('strip'),
    expiresAt: expires * 1000,
  };
}
