import type { Sharp } from 'sharp';
import type { EncodedImage } from './encode.ts';
import { type ImageFormat, mimeOf } from './formats.ts';
import { fromFile, headerOf, render } from './native.ts';
import { trainedAlgorithmicMedia, writeXmp } from './xmp.ts';

/** Pixels. Few sizes, so that an image has few renditions, each made once. */
export const renditionWidths: readonly number[] = [
  64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096,
];

/** The smallest rendition size that is no smaller than `n`; the largest there is beyond that. */
export function snapWidth(n: number): number {
  return renditionWidths.find((width) => width >= n) ?? Math.max(...renditionWidths);
}

export type ImageFit = 'CONTAIN' | 'COVER';

export type Rendition = {
  /** The box in pixels; null: as the other side and the proportions demand. */
  readonly width: number | null;
  readonly height: number | null;
  /** CONTAIN: all of the image, within the box. COVER: the box filled, and the rest cut off. */
  readonly fit: ImageFit;
  readonly format: ImageFormat;
  /** Where false, a generated image still says that it is one; prompt and settings are in the original alone. */
  readonly stripMetadata: boolean;
};

/**
 * A smaller, or differently packed, image of a stored one; never a larger one.
 * @throws ImageUnreadable
 */
export async function renderRendition(
  original: Buffer,
  rendition: Rendition,
): Promise<EncodedImage> {
  const { xmp, ...size } = await headerOf(original);
  const image = fromFile(original).autoOrient();
  const box = boxWithin(size, rendition);
  if (box.width !== size.width || box.height !== size.height) {
    image.resize({ ...box, fit: 'cover' });
  }
  const isGenerated = xmp?.includes(trainedAlgorithmicMedia) ?? false;
  if (isGenerated && !rendition.stripMetadata) image.withXmp(generatedXmp);
  return { ...(await render(pack(image, rendition.format))), mime: mimeOf(rendition.format) };
}

/** All that a rendition says of its making. */
const generatedXmp = writeXmp({ software: 'Easel', prompt: '' });

/** What comes out, in pixels: the asked-for box, shrunk until the image need not grow. Equal boxes are equal images. */
export function boxWithin(
  size: { width: number; height: number },
  { width, height, fit }: Pick<Rendition, 'width' | 'height' | 'fit'>,
): { width: number; height: number } {
  const scales = [
    width === null ? null : width / size.width,
    height === null ? null : height / size.height,
  ].filter((scale) => scale !== null);
  if (scales.length === 0) return size;
  if (fit === 'COVER' && width !== null && height !== null) {
    const growth = Math.max(1, ...scales);
    return { width: pixels(width / growth), height: pixels(height / growth) };
  }
  const scale = Math.min(1, ...scales);
  return { width: pixels(size.width * scale), height: pixels(size.height * scale) };
}

function pixels(side: number): number {
  return Math.max(1, Math.round(side));
}

/** Qualities where generated images show no artefacts at arm's length; efforts that answer while one waits. */
function pack(image: Sharp, format: ImageFormat): Sharp {
  switch (format) {
    case 'PNG':
      return image.png({ compressionLevel: 6, adaptiveFiltering: true });
    case 'JPEG':
      return image.flatten({ background: 'white' }).jpeg({ quality: 85 });
    case 'WEBP':
      return image.webp({ quality: 82, effort: 3 });
    case 'AVIF':
      return image.avif({ quality: 60, effort: 1 });
  }
}

/** Of each wanted width what a rendition really has: snapped, not larger than the original, each size once. */
export function widthsOf(
  original: { readonly width: number; readonly height: number },
  wanted: readonly number[],
): { width: number; height: number }[] {
  const usable = wanted.filter((width) => width >= 1);
  const widths = new Set(usable.map((width) => Math.min(snapWidth(width), original.width)));
  return [...widths]
    .sort((a, b) => a - b)
    .map((width) => ({
      width,
      height: Math.max(1, Math.round((original.height * width) / original.width)),
    }));
}
