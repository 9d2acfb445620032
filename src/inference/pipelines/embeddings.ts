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

/**
 * An embedding (tokens, width) in which each token counts as often as its weight says, by the convention of the
 * AUTOMATIC1111 web UI: multiplied by it, then the whole scaled back to the mean that it had. The mean is that of
 * absolute values: T5's embeddings have one near 0, whose ratio is arbitrary (1.5 on one word of six would make
 * the rest 1.9 times as large).
 */
export function weighted({ data, tokens }: Embedding, weights: readonly number[]): Embedding {
  const width = data.length / tokens;
  const multiplied = data.map((x, i) => x * weights[Math.floor(i / width)]!);
  const scale = absoluteSum(data) / absoluteSum(multiplied);
  return { data: multiplied.map((x) => x * scale), tokens };
}

function absoluteSum(values: Float32Array): number {
  return values.reduce((sum, x) => sum + Math.abs(x), 0);
}
