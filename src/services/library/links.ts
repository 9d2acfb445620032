import { createHmac, timingSafeEqual } from 'node:crypto';
import { BadInput, DomainError } from '../../errors.ts';
import { type ImageFormat, imageFormats } from '../../images/formats.ts';
import { type ImageFit, snapWidth } from '../../images/renditions.ts';
import { isUuid } from '../relay/global-id.ts';
import type { LinkKeys } from './link-keys.ts';

/** What a link gives. Without width, height, format and stripMetadata: the original, byte for byte. */
export type LinkOptions = {
  /** Pixels. */
  readonly width?: number | null;
  readonly height?: number | null;
  readonly fit?: ImageFit | null;
  /** Null: negotiated by the Accept header of the request for the file. */
  readonly format?: ImageFormat | null;
  readonly download?: boolean | null;
  readonly stripMetadata?: boolean | null;
};

/** What a link that was verified asks for. */
export type LinkedFile = {
  /** Row id of the asset. */
  readonly assetId: string;
  /** Row id of the key that the link was given to; it ends with that one. Null where there was none. */
  readonly apiKeyId: string | null;
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
  /**
   * Path and query of a link; the same, byte for byte, for half of the longest validity: by default all (UTC) day long.
   * `apiKeyId`: that of the credential that it is given to. @throws BadInput
   */
  sign(assetId: string, options: LinkOptions, apiKeyId?: string | null): string;
  /** Time until which links that are signed now are valid: from half the longest validity on. */
  expiry(): Date;
  /** @throws DomainError (FORBIDDEN: not ours, or altered), LinkExpired */
  verify(path: string, query: string): LinkedFile;
};

export class LinkExpired extends DomainError {
  constructor(expiredAt: Date) {
    super(
      'NOT_FOUND',
      `Expected a link that is still valid, but this one ended at ${expiredAt.toISOString()}: ask for Asset.url again`,
    );
  }
}

const prefix = '/files/';
/** Longest validity of a link in hours, where nothing else is configured. */
export const defaultLinkHours = 48;
const hourMs = 60 * 60 * 1000;

export function createLinks({
  keys,
  hours = defaultLinkHours,
  now = Date.now,
}: {
  keys: LinkKeys;
  /** Longest validity. */
  hours?: number;
  now?: () => number;
}): Links {
  const signatureOf = (signed: string, key: string) =>
    createHmac('sha256', Buffer.from(key, 'hex'))
      .update(signed)
      .digest('base64url')
      .slice(0, signatureLength);
  const periodMs = (hours * hourMs) / 2;
  // Rounded: browsers cache by URL, so the link must not change with every request.
  const expiresAt = () => (Math.floor(now() / periodMs) + 2) * periodMs;

  return {
    sign(assetId, options, apiKeyId = null) {
      const query = parametersOf(options, { expiresAt: expiresAt(), apiKeyId });
      const unsigned = `${prefix}${assetId}?${query}`;
      return `${unsigned}&signature=${signatureOf(unsigned, keys()[0] ?? '')}`;
    },
    expiry: () => new Date(expiresAt()),
    verify(path, query) {
      const [, unsignedQuery = '', signature = ''] = signedQuery.exec(query) ?? [];
      const got = Buffer.from(signature);
      const isOurs = keys().some((key) => {
        const expected = Buffer.from(signatureOf(`${path}?${unsignedQuery}`, key));
        return got.length === expected.length && timingSafeEqual(got, expected);
      });
      if (!isOurs) throw badLink();
      const file = parse(path, new URLSearchParams(unsignedQuery));
      if (file.expiresAt <= now()) throw new LinkExpired(new Date(file.expiresAt));
      return file;
    },
  };
}

/** It is refused as a whole: which part was altered cannot be told. */
function badLink(): DomainError {
  return new DomainError(
    'FORBIDDEN',
    'Expected a link as Asset.url gave it, but got one that was altered or cut off',
  );
}

/** Characters of base64url, 192 bits. */
const signatureLength = 32;
const signedQuery = /^(.*)&signature=([\w-]+)$/;

/** In a fixed order, without defaults: equal options give equal links. */
function parametersOf(
  options: LinkOptions,
  { expiresAt, apiKeyId }: Pick<LinkedFile, 'expiresAt' | 'apiKeyId'>,
): URLSearchParams {
  const { width, height, fit, format, download, stripMetadata } = options;
  const isBox = width != null && height != null;
  const entries: (readonly [string, string] | null)[] = [
    width == null ? null : ['width', `${snapped('width', width)}`],
    height == null ? null : ['height', `${snapped('height', height)}`],
    // With one side only, the fit makes no difference.
    isBox && fit === 'COVER' ? ['fit', 'COVER'] : null,
    format ? ['format', format] : null,
    download ? ['download', '1'] : null,
    stripMetadata ? ['strip', '1'] : null,
    apiKeyId === null ? null : ['key', apiKeyId],
    ['expires', `${expiresAt / 1000}`],
  ];
  return new URLSearchParams(Object.fromEntries(entries.filter((entry) => entry !== null)));
}

function snapped(name: 'width' | 'height', got: number): number {
  if (!Number.isInteger(got) || got < 1) {
    throw new BadInput({
      path: [name],
      expected: 'a whole number of pixels from 1 on',
      got,
      min: 1,
    });
  }
  return snapWidth(got);
}

/** The signature is valid, so anything unexpected is a link of another version of the program. */
function parse(path: string, query: URLSearchParams): LinkedFile {
  const assetId = path.slice(prefix.length);
  const number = (name: string) => (query.has(name) ? Number(query.get(name)) : null);
  const format = query.get('format');
  const expires = number('expires');
  if (!path.startsWith(prefix) || !isUuid(assetId) || expires === null) throw badLink();
  return {
    assetId,
    apiKeyId: query.get('key'),
    width: number('width'),
    height: number('height'),
    fit: query.get('fit') === 'COVER' ? 'COVER' : 'CONTAIN',
    format: imageFormats.find((known) => known === format) ?? null,
    download: query.has('download'),
    stripMetadata: query.has('strip'),
    expiresAt: expires * 1000,
  };
}
