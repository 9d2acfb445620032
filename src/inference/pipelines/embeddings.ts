import type { Embedding } from '../networks/text-encoder.ts';
import { keepResults } from './kept-results.ts';

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
  const kept = keepResults<Embedding>(keptBytes, ({ data }) => data.byteLength);
  return {
    of: (textEncoder, ids, encode) => kept.of(`${textEncoder} ${ids.join(' ')}`, encode),
  };
}
