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
