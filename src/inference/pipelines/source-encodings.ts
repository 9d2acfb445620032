import { createHash } from 'node:crypto';
import { keepResults } from './kept-results.ts';

/** Distribution of the latents of an image, as the VAE encodes it. */
export type SourceEncoding = { readonly mean: Float32Array; readonly logvar: Float32Array };

export type SourceEncodings = {
  /** From the cache, or made by `encode`. The same pixels in the same VAE have the same latents. */
  of(vae: string, rgb: Uint8Array, encode: () => Promise<SourceEncoding>): Promise<SourceEncoding>;
};

/** 120 images of 1024 pixels. */
const keptBytes = 64 * 2 ** 20;

/** The last used ones: several images of one source encode it once. */
export function createSourceEncodings(): SourceEncodings {
  const kept = keepResults<SourceEncoding>(
    keptBytes,
    ({ mean, logvar }) => mean.byteLength + logvar.byteLength,
  );
  return {
    of: (vae, rgb, encode) =>
      kept.of(`${vae} ${createHash('sha256').update(rgb).digest('hex')}`, encode),
  };
}
