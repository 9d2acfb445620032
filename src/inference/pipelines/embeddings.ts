import { LRUCache } from 'lru-cache';
import type { Embedding } from '../networks/text-encoder.ts';

export type Embeddings = {
  /** From the cache, or made by `encode`. The same ids in the same text encoder are the same prompt. */
  of(
    textEncoder: string,
    ids: readonly number[],
    encode: () => Promise<Embedding>,
  ): Promise<Embedding>;
};

/** Fifty long prompts of the full-size encoder, thousands of the small one. */
const keptBytes = 256 * 1024 * 1024;

/** The last used ones: images of one prompt, and the empty negative prompt of all, are encoded once. */
export function createEmbeddings(): Embeddings {
  const kept = new LRUCache<string, Embedding>({
    maxSize: keptBytes,
    sizeCalculation: ({ data }) => data.byteLength + 1,
  });
  return {
    async of(textEncoder, ids, encode) {
      const key = `${textEncoder} ${ids.join(' ')}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const embedding = await encode();
      kept.set(key, embedding);
      return embedding;
    },
  };
}
