import { LRUCache } from 'lru-cache';
import type { ModelPlace } from '../engine/protocol.ts';

/** What the text encoder made of a prompt: (tokens, width), real tokens only. */
export type Embedding = { readonly data: Float32Array; readonly tokens: number };

export type Embeddings = {
  /** From the cache, or made by `encode`. The same ids in the same model are the same prompt. */
  of(
    place: ModelPlace,
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
    async of({ folder, revision }, ids, encode) {
      const key = `${folder}\0${revision}\0${ids.join(' ')}`;
      const known = kept.get(key);
      if (known !== undefined) return known;
      const embedding = await encode();
      kept.set(key, embedding);
      return embedding;
    },
  };
}
