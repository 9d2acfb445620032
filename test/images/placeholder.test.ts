import { thumbHashToApproximateAspectRatio, thumbHashToRGBA } from 'thumbhash';
import { describe, expect, it } from 'vitest';
import { placeholderOf } from '../../src/images/placeholder.ts';
import { drawing } from './fixtures.ts';

const decode = (placeholder: string) => thumbHashToRGBA(Buffer.from(placeholder, 'base64'));

describe('a placeholder', () => {
  it.each([
    [256, 256],
    [256, 192],
    [64, 512],
    [1, 1],
    [3, 2],
    [2048, 1024],
  ])('of %s × %s is a few dozen bytes of about that shape', (width, height) => {
    const placeholder = placeholderOf(drawing(width, height), width, height);
    const hash = Buffer.from(placeholder, 'base64');
    expect(hash.length).toBeLessThan(40);
    const ratio = thumbHashToApproximateAspectRatio(hash);
    expect(Math.abs(Math.log2(ratio / (width / height)))).toBeLessThan(1.5);
  });

  it('shows roughly what the image shows, at any size', () => {
    for (const size of [32, 250, 1024]) {
      const { w, h, rgba } = decode(placeholderOf(drawing(size, size), size, size));
      const middle = ((h >> 1) * w + (w >> 1)) * 4;
      expect(rgba[middle] ?? 0).toBeGreaterThan(150); // The disc is red,
      expect(rgba[middle + 1] ?? 255).toBeLessThan(110);
      expect(rgba[0] ?? 255).toBeLessThan(90); // and the corner dark.
      expect(rgba.every((value, i) => i % 4 !== 3 || value === 255)).toBe(true);
    }
  });

  it('is the same for the same image', () => {
    const rgb = drawing(100, 60);
    expect(placeholderOf(rgb, 100, 60)).toBe(placeholderOf(rgb.slice(), 100, 60));
  });

  it('refuses pixels that do not fill the image', () => {
    expect(() => placeholderOf(drawing(8, 8), 8, 9)).toThrow('Expected 8 × 9 × 3 bytes of pixels');
  });
});
