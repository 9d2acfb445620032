/** Formats that images are kept, uploaded and delivered in. */
export const imageFormats = ['PNG', 'JPEG', 'WEBP', 'AVIF'] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** What a rendition may be asked for as. */
export const renditionFormats: readonly ImageFormat[] = imageFormats;

const mimes = {
  PNG: 'image/png',
  JPEG: 'image/jpeg',
  WEBP: 'image/webp',
  AVIF: 'image/avif',
} as const satisfies Record<ImageFormat, string>;

const extensions = {
  PNG: 'png',
  JPEG: 'jpg',
  WEBP: 'webp',
  AVIF: 'avif',
} as const satisfies Record<ImageFormat, string>;

export function mimeOf(format: ImageFormat): string {
  return mimes[format];
}

/** Without a dot. */
export function extensionOf(format: ImageFormat): string {
  return extensions[format];
}

/** Where a client likes several as much. AVIF takes ten times as long to make as WebP, for a little less weight. */
const preference: readonly ImageFormat[] = ['WEBP', 'JPEG', 'PNG', 'AVIF'];

/** `image/*` comes from programs of any age: it is no promise to read what was invented since. */
const readByAll: ReadonlySet<ImageFormat> = new Set(['JPEG', 'PNG']);

/**
 * The format that serves an `Accept` header best (RFC 9110, 12.5.1). The original's own where the
 * header names nothing that we have: an image in a tab is better than an error.
 */
export function negotiateFormat(
  accept: string | undefined,
  originalFormat: ImageFormat,
): ImageFormat {
  const ranges = parseAccept(accept ?? '*/*');
  let best: ImageFormat | undefined;
  let bestQuality = 0;
  for (const format of preference) {
    const quality = qualityOf(format, ranges);
    if (quality > bestQuality) [best, bestQuality] = [format, quality];
  }
  return best ?? originalFormat;
}

/** 0 to 1: the most specific range decides. */
function qualityOf(format: ImageFormat, ranges: ReadonlyMap<string, number>): number {
  const exact = ranges.get(mimes[format]);
  if (exact !== undefined) return exact;
  return readByAll.has(format) ? (ranges.get('image/*') ?? ranges.get('*/*') ?? 0) : 0;
}

function parseAccept(header: string): Map<string, number> {
  const ranges = new Map<string, number>();
  for (const item of header.split(',')) {
    const [range = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    if (range !== '' && quality >= 0 && quality <= 1) ranges.set(range, quality);
  }
  return ranges;
}
