import sharp, { type Sharp } from 'sharp';
import { DomainError } from '../errors.ts';

// One image at a time per call: the processors belong to the engine. Nothing is decoded twice, so
// a cache would only hold memory.
sharp.concurrency(1);
sharp.cache(false);
// What is stored and served is one of four formats; libvips shall not guess among its dozens of readers.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Png', 'Jpeg', 'Webp', 'Heif'].map((format) => `VipsForeignLoad${format}Buffer`),
});

/** The library could not read, or write, an image. */
export class ImageUnreadable extends DomainError {
  constructor(options?: ErrorOptions) {
    const reason = options?.cause instanceof Error ? options.cause.message : 'it is damaged';
    super(
      'INTERNAL_SERVER_ERROR',
      `Expected an image that can be read, but got one that cannot: ${firstLine(reason)}`,
      {},
      options,
    );
  }
}

/** Pixels that do not fill their image. */
export class PixelsMismatched extends DomainError {
  constructor(got: number, width: number, height: number) {
    super(
      'INTERNAL_SERVER_ERROR',
      `Expected ${width} × ${height} × 3 bytes of pixels, but got ${got}`,
      { got },
    );
  }
}

/** RGB as the engine makes it: 8 bits each, row-major, `width * height * 3` bytes. */
export type Pixels = {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
};

/** @throws PixelsMismatched */
export function checkPixels({ rgb, width, height }: Pixels): void {
  const isSize = (n: number) => Number.isSafeInteger(n) && n > 0;
  if (!isSize(width) || !isSize(height) || rgb.length !== width * height * 3) {
    throw new PixelsMismatched(rgb.length, width, height);
  }
}

/** @throws PixelsMismatched */
export function fromPixels(pixels: Pixels): Sharp {
  checkPixels(pixels);
  const { width, height } = pixels;
  return sharp(pixels.rgb, { raw: { width, height, channels: 3 } });
}

export function fromFile(bytes: Uint8Array): Sharp {
  return sharp(bytes);
}

/** Runs what was described. @throws ImageUnreadable in place of the library's own errors */
export async function render(
  image: Sharp,
): Promise<{ bytes: Buffer; width: number; height: number }> {
  try {
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { bytes: data, width: info.width, height: info.height };
  } catch (cause) {
    throw new ImageUnreadable({ cause });
  }
}

/** Width and height in pixels, after the rotation that a camera has noted; XMP is null where there is none. */
export type Header = {
  readonly width: number;
  readonly height: number;
  readonly xmp: Buffer | null;
};

/** Reads no pixels. @throws ImageUnreadable */
export async function headerOf(bytes: Uint8Array): Promise<Header> {
  try {
    const { autoOrient, xmp } = await fromFile(bytes).metadata();
    return { width: autoOrient.width, height: autoOrient.height, xmp: xmp ?? null };
  } catch (cause) {
    throw new ImageUnreadable({ cause });
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
