import { join } from 'node:path';
import { z } from 'zod';
import { TensorMismatch } from '../onnx/weights.ts';
import { type Checkpoint, identityOf, versionsOf } from './checkpoint.ts';
import { readJson } from './json-file.ts';
import { openWeights } from './weight-files.ts';

/** A T5 v1.1 encoder. */
export type T5Config = {
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly width: number;
  readonly hidden: number;
  readonly epsilon: number;
  readonly buckets: number;
  readonly maxDistance: number;
};

export type TextEncoderCheckpoint = Checkpoint<T5Config> & {
  /** The tensor with a row for each token: (vocabulary, width). */
  readonly table: string;
  readonly vocabulary: number;
};

const count = () => z.int().positive().max(1_000_000);

const fileSchema = z.object({
  d_model: count(),
  d_kv: count(),
  d_ff: count(),
  num_heads: count(),
  num_layers: count(),
  layer_norm_epsilon: z.number().positive().max(1).default(1e-6),
  relative_attention_num_buckets: z.int().min(4).max(100_000).default(32),
  relative_attention_max_distance: count().default(128),
  feed_forward_proj: z.literal('gated-gelu'),
});

/**
 * Read `text_encoder/` of a model folder.
 * @throws FileUnreadable, FileDamaged, DomainError (MODEL_UNAVAILABLE), TensorMismatch
 */
export async function openTextEncoder(folder: string): Promise<TextEncoderCheckpoint> {
  const { value: file, stamp } = await readJson(join(folder, 'config.json'), fileSchema);
  const weights = await openWeights(folder, 'model');
  const config: T5Config = {
    layers: file.num_layers,
    heads: file.num_heads,
    headDim: file.d_kv,
    width: file.d_model,
    hidden: file.d_ff,
    epsilon: file.layer_norm_epsilon,
    buckets: file.relative_attention_num_buckets,
    maxDistance: file.relative_attention_max_distance,
  };
  const table = weights.has('shared.weight') ? 'shared.weight' : 'encoder.embed_tokens.weight';
  const { shape } = weights.entry(table);
  if (shape.length !== 2 || shape[1] !== config.width) {
    throw new TensorMismatch(table, `[ids, ${config.width}]`, `[${shape.join(', ')}]`);
  }
  const identity = identityOf(versionsOf([stamp, ...weights.files]));
  return { config, weights, table, vocabulary: shape[0]!, identity };
}
