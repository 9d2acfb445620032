import { fromFile, ImageUnreadable, type Pixels } from './native.ts';

/**
 * The pixels of an image, scaled into a box and laid on black.
 * @throws ImageUnreadable
 */
export async function decodePixels(
  bytes: Uint8Array,
  box: { width: number; height: number },
): Promise<Pixels> {
  try {
    const { data, info } = await fromFile(bytes)
      .autoOrient()
      .resize({ ...box, fit: 'inside' })
      .flatten()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { rgb: data, width: info.width, height: info.height };
  } catch (cause) {
    throw new ImageUnreadable({ cause });
  }
}

/**
 * The pixels of an image that fill a size exactly: scaled, and what lies outside cut off evenly. Transparency is laid on black.
 * @returns `width * height * 3` bytes of RGB, row-major
 * @throws ImageUnreadable
 */
export async function decodeCovering(
  bytes: Uint8Array,
  size: { width: number; height: number },
): Promise<Uint8Array> {
  try {
    return await fromFile(bytes)
      .autoOrient()
      .resize({ ...size, fit: 'cover' })
      .flatten()
      .toColourspace('srgb')
      .raw()
      .toBuffer();
  } catch (cause) {
    throw new ImageUnreadable({ cause });
  }
}

/**
 * The brightness of an image in the same place as `decodeCovering` puts its pixels. Transparency is laid on black.
 * @returns `width * height` bytes, row-major: 0 black to 255 white
 * @throws ImageUnreadable
 */
export async function decodeMask(
  bytes: Uint8Array,
  size: { width: number; height: number },
): Promise<Uint8Array> {
  const rgb = await decodeCovering(bytes, size);
  const at = (i: number) => Math.round((rgb[3 * i]! + rgb[3 * i + 1]! + rgb[3 * i + 2]!) / 3);
  return Uint8Array.from({ length: size.width * size.height }, (_, i) => at(i));
}
