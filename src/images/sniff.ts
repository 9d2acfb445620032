import { disableTypes, imageSize, types } from 'image-size';
import { clipped, DomainError } from '../errors.ts';
import type { ImageFormat } from './formats.ts';

export type SniffedImage = {
  readonly format: ImageFormat;
  /** Pixels as stored: the rotation that a camera has noted is not applied. */
  readonly width: number;
  readonly height: number;
};

/** Bytes that are no image of a supported format, or one that is too large to decode. */
export class ImageRejected extends DomainError {
  constructor(message: string, details: { max?: number; got?: number } = {}) {
    super('UPLOAD_REJECTED', message, details);
  }
}

/** By the names that the library has for them. */
const formats = { png: 'PNG', jpg: 'JPEG', webp: 'WEBP', avif: 'AVIF' } as const satisfies Record<
  string,
  ImageFormat
>;

// Its other readers are never run; `heif` reads AVIF, too.
disableTypes(types.filter((type) => !['png', 'jpg', 'webp', 'heif'].includes(type)));

/**
 * Format and size of a file, by its content and not by its name, from its header alone: an image that
 * would take gigabytes to decode is refused before it is decoded.
 * @throws ImageRejected
 */
export function sniff(
  bytes: Uint8Array,
  { maxPixels }: { maxPixels: number } = { maxPixels: 4096 * 4096 },
): SniffedImage {
  const { width, height, type = '' } = readHeader(bytes);
  const format = Object.hasOwn(formats, type) ? formats[type as keyof typeof formats] : undefined;
  if (format === undefined) throw unsupported(type === '' ? 'another file' : clipped(type));
  if (!(width > 0 && height > 0)) {
    throw new ImageRejected(`Expected a ${format} with pixels, but got ${width} × ${height}`);
  }
  if (width * height > maxPixels) {
    throw new ImageRejected(
      `Expected at most ${maxPixels} pixels, but got ${width} × ${height} = ${width * height}`,
      { max: maxPixels, got: width * height },
    );
  }
  return { format, width, height };
}

function readHeader(bytes: Uint8Array) {
  try {
    return imageSize(bytes);
  } catch (cause) {
    throw unsupported(cause instanceof Error ? clipped(cause.message) : 'another file');
  }
}

function unsupported(got: string): ImageRejected {
  return new ImageRejected(`Expected a PNG, JPEG, WebP or AVIF image, but got: ${got}`);
}
