import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

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
  const kept = new LRUCache<string, SourceEncoding>({
    maxSize: keptBytes,
    sizeCalculation: ({ mean, logvar }) => mean.byteLength + logvar.byteLength,
  });
  return {
    async of(vae, rgb, encode) {
      const key = `${vae} ${createHash('sha256').update(rgb).digest('hex')}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const encoding = await encode();
      kept.set(key, encoding);
      return encoding;
    },
  };
}
