import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../src/images/encode.ts';
import { ImageUnreadable } from '../../src/images/native.ts';
import {
  type Rendition,
  renderRendition,
  renditionWidths,
  snapWidth,
} from '../../src/images/renditions.ts';
import { trainedAlgorithmicMedia } from '../../src/images/xmp.ts';
import { difference, drawing, metadata } from './fixtures.ts';

const original = await encodePng(drawing(256, 192), 256, 192, metadata);
const whole: Rendition = {
  width: null,
  height: null,
  fit: 'CONTAIN',
  format: 'PNG',
  stripMetadata: false,
};

describe('a rendition', () => {
  it.each([
    // Box, fit, and what comes of 256 × 192.
    [128, null, 'CONTAIN', 128, 96],
    [null, 96, 'CONTAIN', 128, 96],
    [128, 128, 'CONTAIN', 128, 96],
    [64, 192, 'CONTAIN', 64, 48],
    [512, null, 'CONTAIN', 256, 192],
    [512, 512, 'CONTAIN', 256, 192],
    [null, null, 'COVER', 256, 192],
    [128, 128, 'COVER', 128, 128],
    [64, 192, 'COVER', 64, 192],
    [128, null, 'COVER', 128, 96],
    [512, 512, 'COVER', 192, 192],
    [1024, 256, 'COVER', 256, 64],
    [1, 4096, 'COVER', 1, 192],
  ] as const)('of box %s × %s, %s, is %s × %s', async (width, height, fit, w, h) => {
    const rendition = await renderRendition(original, { ...whole, width, height, fit });
    expect(rendition).toMatchObject({ width: w, height: h });
    expect(await sharp(rendition.bytes).metadata()).toMatchObject({ width: w, height: h });
  });

  it.each([
    ['PNG', 'png', 'image/png', 0],
    ['JPEG', 'jpeg', 'image/jpeg', 8],
    ['WEBP', 'webp', 'image/webp', 8],
    ['AVIF', 'heif', 'image/avif', 8],
  ] as const)(
    'as %s shows the same image, still marked as generated',
    async (format, name, mime, tolerance) => {
      const rendition = await renderRendition(original, { ...whole, format });
      expect(rendition.mime).toBe(mime);
      const found = await sharp(rendition.bytes).metadata();
      expect(found.format).toBe(name);
      expect(found.xmp?.toString()).toContain(trainedAlgorithmicMedia);
      const shown = await sharp(rendition.bytes).removeAlpha().raw().toBuffer();
      expect(difference(shown, drawing(256, 192))).toBeLessThanOrEqual(tolerance);
    },
  );

  it.each(['PNG', 'JPEG', 'WEBP', 'AVIF'] as const)(
    'as %s carries no metadata when stripped',
    async (format) => {
      const { bytes } = await renderRendition(original, { ...whole, format, stripMetadata: true });
      const found = await sharp(bytes).metadata();
      expect(found.xmp).toBeUndefined();
      expect(found.comments).toBeUndefined();
      for (const word of ['red boat', 'Easel', metadata.provenance.modelSha256]) {
        expect(bytes.includes(word)).toBe(false);
      }
    },
  );

  it('is cropped around the centre with COVER', async () => {
    const { bytes } = await renderRendition(original, {
      ...whole,
      width: 192,
      height: 192,
      fit: 'COVER',
    });
    const expected = await sharp(original)
      .extract({ left: 32, top: 0, width: 192, height: 192 })
      .raw()
      .toBuffer();
    expect((await sharp(bytes).raw().toBuffer()).equals(expected)).toBe(true);
  });

  it('is rotated by its EXIF orientation, and carries no location', async () => {
    const turned = await sharp(original).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const rendition = await renderRendition(turned, { ...whole, width: 96, format: 'JPEG' });
    expect(rendition).toMatchObject({ width: 96, height: 128 });
    const { orientation, exif } = await sharp(rendition.bytes).metadata();
    expect({ orientation, exif }).toEqual({ orientation: undefined, exif: undefined });
  });

  it('shows transparency as white where the format has none', async () => {
    const clear = await sharp({
      create: { width: 8, height: 8, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    const { bytes } = await renderRendition(clear, { ...whole, format: 'JPEG' });
    expect([...(await sharp(bytes).raw().toBuffer()).subarray(0, 3)]).toEqual([255, 255, 255]);
  });

  it('of a damaged file fails with ImageUnreadable and its cause', async () => {
    const attempts = [
      Buffer.from('not an image'),
      original.subarray(0, 300),
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    ].map((bytes) => renderRendition(bytes, whole));
    for (const { status, ...outcome } of await Promise.allSettled(attempts)) {
      expect(status).toBe('rejected');
      expect(outcome).toMatchObject({ reason: expect.any(ImageUnreadable) });
      expect(outcome).toMatchObject({ reason: { cause: expect.any(Error) } });
    }
  });
});

describe('sizes of renditions', () => {
  it('are rounded up, or down to the largest', () => {
    expect([1, 64, 65, 500, 1025, 4096, 9000].map(snapWidth)).toEqual([
      64, 64, 128, 512, 1536, 4096, 4096,
    ]);
    expect(renditionWidths).toEqual([...renditionWidths].sort((a, b) => a - b));
  });
});
