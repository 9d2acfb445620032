import { type ImageFormat, mimeOf } from './formats.ts';
import { embedMetadata, type MetadataToWrite } from './metadata.ts';
import { fromPixels, type Pixels, render } from './native.ts';

/** A picture as bytes of a file. Width and height in pixels. */
export type EncodedPicture = {
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
  readonly mime: string;
};

/**
 * The original: lossless, `width * height * 3` bytes of RGB in, a PNG with its metadata out.
 * @throws PixelsMismatched
 */
export async function encodePng(
  rgb: Uint8Array,
  width: number,
  height: number,
  metadata?: MetadataToWrite,
): Promise<Buffer> {
  const picture = fromPixels({ rgb, width, height }).png({
    compressionLevel: 6,
    adaptiveFiltering: true,
  });
  const { bytes } = await render(picture);
  return metadata ? embedMetadata(bytes, metadata) : bytes;
}

/**
 * A preview frame, in about a millisecond at the latent's own size (`maxSize` null). Else scaled,
 * smoothly, so that its longest side is `maxSize` pixels; the caller bounds that.
 * @throws PixelsMismatched
 */
export async function encodeFrame(
  frame: Pixels,
  { format, maxSize }: { format: 'WEBP' | 'JPEG'; maxSize: number | null },
): Promise<EncodedPicture> {
  const picture = fromPixels(frame);
  const longest = Math.max(frame.width, frame.height);
  if (maxSize !== null && maxSize !== longest) {
    const scaled = (side: number) => Math.max(1, Math.round((side * maxSize) / longest));
    picture.resize({
      width: scaled(frame.width),
      height: scaled(frame.height),
      fit: 'fill',
      kernel: 'cubic',
    });
  }
  const encoded =
    format === 'WEBP' ? picture.webp({ quality: 75, effort: 0 }) : picture.jpeg({ quality: 80 });
  return { ...(await render(encoded)), mime: mimeOf(format satisfies ImageFormat) };
}
