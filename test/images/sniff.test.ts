import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../src/images/encode.ts';
import { ImageRejected, sniff } from '../../src/images/sniff.ts';
import { drawing, metadata } from './fixtures.ts';

const rgb = drawing(80, 48);
const raw = () => sharp(rgb, { raw: { width: 80, height: 48, channels: 3 } });
const files = {
  'a PNG': ['PNG', await raw().png().toBuffer()],
  'an original of ours': ['PNG', await encodePng(rgb, 80, 48, metadata)],
  'a palette PNG': ['PNG', await raw().png({ palette: true }).toBuffer()],
  'a JPEG': ['JPEG', await raw().jpeg().toBuffer()],
  'a progressive JPEG with metadata': [
    'JPEG',
    await raw().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toBuffer(),
  ],
  'a lossy WebP': ['WEBP', await raw().webp().toBuffer()],
  'a lossless WebP': ['WEBP', await raw().webp({ lossless: true }).toBuffer()],
  'a WebP with transparency': ['WEBP', await raw().ensureAlpha(0.5).webp().toBuffer()],
  'a WebP with metadata': ['WEBP', await raw().webp().withMetadata().toBuffer()],
  'an AVIF': ['AVIF', await raw().avif({ effort: 0 }).toBuffer()],
  'an AVIF with transparency': [
    'AVIF',
    await raw().ensureAlpha(0.5).avif({ effort: 0 }).toBuffer(),
  ],
} as const;

const others = [
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('hello')],
  ['a page', Buffer.from('<html><img src="a.png"></html>')],
  ['a drawing with script', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['a GIF', await raw().gif().toBuffer()],
  ['a TIFF', await raw().tiff().toBuffer()],
  ['a signature alone', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])],
  ['zeros', Buffer.alloc(1_000)],
] as const;

describe('sniffing', () => {
  it.each(Object.entries(files))('knows %s and its size', (_, [format, bytes]) => {
    expect(sniff(bytes)).toEqual({ format, width: 80, height: 48 });
    expect(sniff(new Uint8Array(bytes))).toEqual({ format, width: 80, height: 48 });
  });

  it.each(Object.entries(files))('refuses %s with too many pixels', (_, [, bytes]) => {
    expect(() => sniff(bytes, { maxPixels: 3_839 })).toThrow(
      'Expected at most 3839 pixels, but got 80 × 48 = 3840',
    );
    expect(sniff(bytes, { maxPixels: 3_840 }).width).toBe(80);
  });

  it.each(others)('refuses %s', (_, bytes) => {
    expect(() => sniff(bytes)).toThrow(ImageRejected);
  });

  it('gives a result or a refusal for every truncation of every file', () => {
    for (const [format, bytes] of Object.values(files)) {
      for (let length = 0; length < Math.min(bytes.length, 600); length++) {
        try {
          expect(sniff(bytes.subarray(0, length)).format).toBe(format);
        } catch (error) {
          expect(error).toBeInstanceOf(ImageRejected);
        }
      }
    }
  });

  it('refuses an image of no pixels', async () => {
    const png = Buffer.from(files['a PNG'][1]);
    png.writeUInt32BE(0, 16);
    expect(() => sniff(png)).toThrow('Expected a PNG with pixels, but got 0 × 48');
  });
});
