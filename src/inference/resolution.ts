import { limits, type Size } from './request.ts';

/** A size the model was trained on, with the ratio height / width as the official table prints it. */
export type Bin = Size & { readonly ratio: number };

/**
 * PixArt-Σ's table (diffusers' ASPECT_RATIO_*_BIN), height x width in units of 1/16 of the square's
 * side. All official resolutions are this one, scaled.
 */
const table = `
  .25:8x32   .26:8x31   .27:8x30   .28:8x29   .32:9x28   .33:9x27   .35:9x26   .4:10x25
  .42:10x24  .48:11x23  .5:11x22   .52:11x21  .57:12x21  .6:12x20   .68:13x19  .72:13x18
  .78:14x18  .82:14x17  .88:15x17  .94:15x16  1.0:16x16  1.07:16x15 1.13:17x15 1.21:17x14
  1.29:18x14 1.38:18x13 1.46:19x13 1.67:20x12 1.75:21x12 2.0:22x11  2.09:23x11 2.4:24x10
  2.5:25x10  2.89:26x9  3.0:27x9   3.11:28x9  3.62:29x8  3.75:30x8  3.88:31x8  4.0:32x8`;

/** Only the 2048 px set has these. */
const wideOnly = new Set([0.26, 0.27, 2.89, 3.11, 3.62, 3.75, 3.88]);

/** The set for 4K (area 2880² = 3840 × 2160), in pixels: ASPECT_RATIO_2880 of PixArt-Σ's repository. */
const table2880 = `
  .25:1408x5760 .26:1408x5568 .27:1408x5376 .28:1408x5184 .32:1600x4992 .33:1600x4800 .34:1600x4672
  .4:1792x4480  .42:1792x4288 .47:1920x4096 .49:1920x3904 .51:1920x3776 .55:2112x3840 .59:2112x3584
  .68:2304x3392 .72:2304x3200 .78:2496x3200 .83:2496x3008 .89:2688x3008 .93:2688x2880 1.0:2880x2880
  1.07:2880x2688 1.12:3008x2688 1.21:3008x2496 1.28:3200x2496 1.39:3200x2304 1.47:3392x2304
  1.7:3584x2112 1.82:3840x2112 2.03:3904x1920 2.13:4096x1920 2.39:4288x1792 2.5:4480x1792
  2.92:4672x1600 3.0:4800x1600 3.12:4992x1600 3.68:5184x1408 3.82:5376x1408 3.95:5568x1408
  4.0:5760x1408`;

/**
 * The sizes of a transformer with this `sample_size` (latents along the square's side): the official
 * ones for 32, 64, 128 and 256, the 2880 set from there on. Any other size gets the table scaled to
 * multiples of 16 px, without what would be too small to be asked for.
 */
export function bins(sampleSize: number): Bin[] {
  if (sampleSize > 256) return parse(table2880, 1);
  const unit = sampleSize / 2; // pixels: sample_size · 8 / 16
  const canonical = parse(table, unit);
  if (sampleSize === 256) return canonical;
  const usual = canonical.filter(({ ratio }) => !wideOnly.has(ratio));
  return unit % limits.sizeMultiple === 0 ? usual : snapped(usual);
}

/** The nearest by ratio, as PixArt-Σ chooses: least |ratio − height/width|, the first where two are as near. */
export function nearestBin<T extends Size & { readonly ratio?: number }>(
  sizes: readonly [T, ...T[]] | readonly T[],
  width: number,
  height: number,
): T {
  const wanted = height / width;
  const distance = (size: T) => Math.abs((size.ratio ?? size.height / size.width) - wanted);
  const [first, ...others] = sizes;
  if (first === undefined) throw new TypeError('Expected at least one size, but got none');
  return others.reduce((best, size) => (distance(size) < distance(best) ? size : best), first);
}

function parse(text: string, unit: number): Bin[] {
  return text
    .trim()
    .split(/\s+/)
    .map((entry) => {
      const [ratio, size] = entry.split(':');
      const [height, width] = size!.split('x');
      return { ratio: Number(ratio), height: Number(height) * unit, width: Number(width) * unit };
    });
}

function snapped(sizes: readonly Bin[]): Bin[] {
  const snap = (side: number) => Math.round(side / limits.sizeMultiple) * limits.sizeMultiple;
  const bySize = new Map<string, Bin>();
  for (const size of sizes) {
    const [height, width] = [snap(size.height), snap(size.width)];
    if (Math.min(height, width) < limits.size.min) continue;
    bySize.set(`${height}x${width}`, { ratio: height / width, height, width });
  }
  return [...bySize.values()].sort((a, b) => a.ratio - b.ratio);
}
