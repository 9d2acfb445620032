import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodeFrame, encodePng } from '../../src/images/encode.ts';
import { PixelsMismatched } from '../../src/images/native.ts';
import { difference, drawing, metadata } from './fixtures.ts';

const decode = (bytes: Uint8Array) => sharp(bytes).removeAlpha().raw().toBuffer();

describe('an original', () => {
  it('decodes to the same pixels, with and without metadata', async () => {
    const rgb = drawing(256, 192);
    for (const described of [undefined, metadata]) {
      const png = await encodePng(rgb, 256, 192, described);
      expect(await sharp(png).metadata()).toMatchObject({
        format: 'png',
        width: 256,
        height: 192,
        channels: 3,
        depth: 'uchar',
      });
      expect((await decode(png)).equals(rgb)).toBe(true);
    }
  });

  it('is the same file for the same image', async () => {
    const [a, b] = await Promise.all([
      encodePng(drawing(64, 64), 64, 64, metadata),
      encodePng(drawing(64, 64), 64, 64, metadata),
    ]);
    expect(a.equals(b)).toBe(true);
  });

  it.each([
    [64, 63],
    [0, 0],
    [64.5, 64],
  ])('refuses pixels that do not fill %s × %s', async (width, height) => {
    await expect(encodePng(drawing(64, 64), width, height)).rejects.toThrow(PixelsMismatched);
  });
});

describe('a preview frame', () => {
  const frame = { width: 32, height: 24, rgb: drawing(32, 24) };

  it.each([
    ['WEBP', 'webp', 'image/webp'],
    ['JPEG', 'jpeg', 'image/jpeg'],
  ] as const)(
    'keeps its own size as %s unless another is asked for',
    async (format, name, mime) => {
      const { bytes, ...encoded } = await encodeFrame(frame, { format, maxSize: null });
      expect(encoded).toEqual({ width: 32, height: 24, mime });
      expect(await sharp(bytes).metadata()).toMatchObject({ format: name, width: 32, height: 24 });
      expect(difference(await decode(bytes), frame.rgb)).toBeLessThan(25);
      expect(bytes.length).toBeLessThan(3_000);
    },
  );

  it.each([
    [256, 256, 192],
    [16, 16, 12],
    [32, 32, 24],
    [1, 1, 1],
  ])('is scaled to a longest side of %s', async (maxSize, width, height) => {
    const encoded = await encodeFrame(frame, { format: 'WEBP', maxSize });
    expect(encoded).toMatchObject({ width, height });
    expect(await sharp(encoded.bytes).metadata()).toMatchObject({ width, height });
  });

  it('is enlarged smoothly, without blocks', async () => {
    const ramp = new Uint8Array(8 * 8 * 3).map((_, i) => (Math.floor(i / 3) % 8) * 32);
    const { bytes } = await encodeFrame(
      { width: 8, height: 8, rgb: ramp },
      { format: 'JPEG', maxSize: 128 },
    );
    const row = [...(await decode(bytes)).subarray(128 * 64 * 3, 128 * 65 * 3)];
    const steps = row.flatMap((value, i) => (i >= 3 ? [Math.abs(value - (row[i - 3] ?? 0))] : []));
    expect(Math.max(...steps)).toBeLessThan(12);
  });

  it('refuses pixels that do not fill it', async () => {
    const short = { ...frame, rgb: frame.rgb.subarray(3) };
    await expect(encodeFrame(short, { format: 'WEBP', maxSize: null })).rejects.toThrow(
      'Expected 32 × 24 × 3 bytes of pixels, but got 2301',
    );
  });
});
