import { rgbaToThumbHash, thumbHashToDataURL } from 'thumbhash';
import { checkPixels } from './native.ts';

/** ThumbHash keeps at most 7 waves a side: 64 samples are plenty, and its limit is 100. */
const longestSide = 64;
/** Pixels looked at per sample and direction: a 4K image costs no more than a small one. */
const looksPerSample = 4;

/**
 * A few dozen bytes (ThumbHash, base64) to show before the image arrives.
 * @throws PixelsMismatched
 */
export function placeholderOf(rgb: Uint8Array, width: number, height: number): string {
  checkPixels({ rgb, width, height });
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const w = Math.max(1, Math.round(width * scale));
  const h = Math.max(1, Math.round(height * scale));
  const rgba = new Uint8Array(w * h * 4);
  for (let y = 0; y < h; y++) {
    const rows = looks(y, h, height);
    for (let x = 0; x < w; x++) {
      const columns = looks(x, w, width);
      const at = (y * w + x) * 4;
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (const row of rows) {
          for (const column of columns) sum += rgb[(row * width + column) * 3 + channel] ?? 0;
        }
        rgba[at + channel] = Math.round(sum / (rows.length * columns.length));
      }
      rgba[at + 3] = 255;
    }
  }
  return Buffer.from(rgbaToThumbHash(w, h, rgba)).toString('base64');
}

/** Source pixels, evenly spread, of sample `index` out of `samples` over `length` pixels. */
function looks(index: number, samples: number, length: number): number[] {
  const start = Math.floor((index * length) / samples);
  const span = Math.max(1, Math.floor(((index + 1) * length) / samples) - start);
  const count = Math.min(span, looksPerSample);
  return Array.from({ length: count }, (_, i) => start + Math.floor(((i + 0.5) * span) / count));
}

/** The same as a PNG in a data: URL, some 32 pixels wide. */
export function placeholderDataUrl(placeholder: string): string {
  return thumbHashToDataURL(new Uint8Array(Buffer.from(placeholder, 'base64')));
}
