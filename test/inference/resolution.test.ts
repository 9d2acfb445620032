import { describe, expect, test } from 'vitest';
import { limits } from '../../src/inference/request.ts';
import { bins, nearestBin } from '../../src/inference/resolution.ts';

describe('resolution bins', () => {
  test.each([
    [32, 33, 256],
    [64, 33, 512],
    [128, 33, 1024],
    [256, 40, 2048],
    [360, 40, 2880],
  ])('of sample size %i are the official %i, with a square of %i px', (sampleSize, count, side) => {
    const sizes = bins(sampleSize);
    expect(sizes).toHaveLength(count);
    expect(sizes).toContainEqual({ ratio: 1, width: side, height: side });
    for (const { ratio, width, height } of sizes) {
      expect([width % 16, height % 16]).toEqual([0, 0]);
      // The official table prints 5760 / 1408 as 4.0.
      expect(Math.abs(height / width / ratio - 1)).toBeLessThan(0.03);
    }
  });

  // Spot checks of diffusers' ASPECT_RATIO_*_BIN and of ASPECT_RATIO_2880: height x width.
  test.each([
    [32, 0.25, 128, 512],
    [64, 0.57, 384, 672],
    [128, 0.48, 704, 1472],
    [128, 1.21, 1088, 896],
    [128, 4, 2048, 512],
    [256, 0.26, 1024, 3968],
    [256, 3.88, 3968, 1024],
    [360, 0.34, 1600, 4672],
    [360, 2.92, 4672, 1600],
  ])('of sample size %i map ratio %d to %i x %i', (sampleSize, ratio, height, width) => {
    expect(bins(sampleSize)).toContainEqual({ ratio, height, width });
  });

  test.each([
    [128, 768, 1344],
    [256, 1536, 2688],
    [360, 2112, 3840],
  ])('choose for 3840 x 2160 at sample size %i: %i x %i', (sampleSize, height, width) => {
    expect(nearestBin(bins(sampleSize), 3840, 2160)).toMatchObject({ height, width });
  });

  test('are chosen by the printed ratio, the first where two are as near', () => {
    const sizes = bins(128);
    for (const size of sizes.filter(({ ratio }) => ratio !== 0.33)) {
      expect(nearestBin(sizes, size.width, size.height)).toEqual(size);
    }
    expect(nearestBin(sizes, 1600, 100).ratio).toBe(0.25);
    expect(nearestBin(sizes, 100, 1600).ratio).toBe(4);
    const tie = [
      { width: 100, height: 50 },
      { width: 100, height: 150 },
    ];
    expect(nearestBin(tie, 100, 100)).toBe(tie[0]);
  });

  test('of any other model are multiples of 16 px that can be asked for', () => {
    for (const sampleSize of [8, 12, 16, 24, 48, 96]) {
      const sizes = bins(sampleSize);
      expect(sizes).toContainEqual({ ratio: 1, width: sampleSize * 8, height: sampleSize * 8 });
      for (const { width, height } of sizes) {
        expect([width % 16, height % 16]).toEqual([0, 0]);
        expect(Math.min(width, height)).toBeGreaterThanOrEqual(limits.size.min);
      }
      expect(new Set(sizes.map((size) => `${size.width}x${size.height}`)).size).toBe(sizes.length);
    }
  });
});
