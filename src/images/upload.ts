import { decodePixels } from './decode.ts';
import { type EmbeddedSettings, readEmbedded } from './embedded.ts';
import type { ImageFormat } from './formats.ts';
import { fromFile, ImageUnreadable, render } from './native.ts';
import { placeholderOf } from './placeholder.ts';
import { ImageRejected, sniff } from './sniff.ts';

export type UploadedImage = {
  readonly format: ImageFormat;
  /** Pixels, as it is shown. */
  readonly width: number;
  readonly height: number;
  /** The file to keep: written anew. */
  readonly bytes: Buffer;
  readonly placeholder: string;
  readonly embedded: EmbeddedSettings | null;
};

/**
 * An image from elsewhere, written anew in its own format: the rotation that a camera has noted is applied, and nothing but
 * pixels is left of the file, so no place, no words, and no second file behind the first one.
 * @throws ImageRejected
 */
export async function readUpload(
  bytes: Uint8Array,
  limits: { maxPixels: number },
): Promise<UploadedImage> {
  const { format } = sniff(bytes, limits);
  try {
    const image = fromFile(bytes).autoOrient().toColourspace('srgb');
    const written = await render(inFormat(image, format));
    const small = await decodePixels(written.bytes, { width: 64, height: 64 });
    const placeholder = placeholderOf(small.rgb, small.width, small.height);
    return { ...written, format, placeholder, embedded: readEmbedded(bytes) };
  } catch (error) {
    if (!(error instanceof ImageUnreadable)) throw error;
    throw new ImageRejected(`Expected a whole ${format}, but it cannot be read: ${error.message}`);
  }
}

/** PNG without loss, the others with little. */
function inFormat(image: ReturnType<typeof fromFile>, format: ImageFormat) {
  switch (format) {
    case 'PNG':
      return image.png();
    case 'JPEG':
      return image.jpeg({ quality: 95 });
    case 'WEBP':
      return image.webp({ quality: 95, effort: 2 });
    case 'AVIF':
      return image.avif({ quality: 80, effort: 2 });
  }
}
