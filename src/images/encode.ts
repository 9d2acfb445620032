import { type ImageFormat, mimeOf } from './formats.ts';
import { embedMetadata, type MetadataToWrite } from './metadata.ts';
import { fromPixels, type Pixels, render } from './native.ts';

/** An image as bytes of a file. Width and height in pixels. */
export type EncodedImage = {
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
  const image = fromPixels({ rgb, width, height }).png({
    compressionLevel: 6,
    adaptiveFiltering: true,
  });
  const { bytes } = await render(image);
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
): Promise<EncodedImage> {
  const image = fromPixels(frame);
  const longest = Math.max(frame.width, frame.height);
  if (maxSize !== null && maxSize !== longest) {
    const scaled = (side: number) => Math.max(1, Math.round((side * maxSize) / longest));
    image.resize({
      width: scaled(frame.width),
      height: scaled(frame.height),
      fit: 'fill',
      kernel: 'cubic',
    });
  }
  const encoded =
    format === 'WEBP' ? image.webp({ quality: 75, effort: 0 }) : image.jpeg({ quality: 80 });
  return { ...(await render(encoded)), mime: mimeOf(format satisfies ImageFormat) };
}
