import { z } from 'zod';
import { readConfig } from '../checkpoints/config.ts';
import type { GraphBuilder } from '../onnx/graph.ts';
import { createSession, prepackBelow, type Session, type SessionOptions } from '../onnx/session.ts';
import { openWeights, TensorMismatch, type Weights } from '../onnx/weights.ts';
import type { AttentionForm } from './layers.ts';
import { relativeBuckets, type T5Config, t5Graph } from './text-encoder.graph.ts';

export type TextEncoder = {
  /** Channels of an embedding. */
  readonly width: number;
  readonly parameters: number;
  readonly dtype: string;
  /**
   * Embeddings of a prompt, (tokens, width). `ids` end in the end-of-text id and are not padded.
   * `checkpoint` is awaited between groups of layers; what it throws ends the run.
   */
  encode(
    ids: ArrayLike<number>,
    checkpoint?: () => Promise<void>,
  ): Promise<{ data: Float32Array; tokens: number }>;
  release(): Promise<void>;
};

export type TextEncoderOptions = SessionOptions & {
  readonly attention?: AttentionForm;
  /** Layers computed between two checkpoints. */
  readonly layersPerRun?: number;
};

const configSchema = z.object({
  d_model: z.int().positive(),
  d_kv: z.int().positive(),
  d_ff: z.int().positive(),
  num_heads: z.int().positive(),
  num_layers: z.int().positive(),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  relative_attention_num_buckets: z.int().positive().default(32),
  relative_attention_max_distance: z.int().positive().default(128),
  feed_forward_proj: z.literal('gated-gelu'),
});

/**
 * Load `text_encoder/` of a model folder: the encoder of a T5 v1.1. The embedding table stays in
 * its file; the rows that a prompt needs are read.
 *
 * @throws UnusableConfig, WeightsNotFound, DamagedWeights, MissingTensor, TensorMismatch
 */
export async function loadTextEncoder(
  folder: string,
  { attention: form = 'fused', layersPerRun = 6, ...options }: TextEncoderOptions,
): Promise<TextEncoder> {
  const { weights, config, table } = await read(folder);
  const sessionOptions = { prepack: weights.parameters < prepackBelow, ...options };
  const graphs: GraphBuilder[] = [];
  for (let from = 0; from < config.layers; from += layersPerRun) {
    const to = Math.min(from + layersPerRun, config.layers);
    graphs.push(t5Graph(weights, config, { from, to, form }));
  }
  const groups: Session[] = [];
  for (const graph of graphs) groups.push(await createSession(graph, sessionOptions));

  return {
    width: config.width,
    parameters: weights.parameters,
    dtype: weights.dtype,

    async encode(ids, checkpoint) {
      const tokens = ids.length;
      const dims = [tokens, config.width];
      const buckets = {
        type: 'int32',
        dims: [tokens, tokens],
        data: relativeBuckets(tokens, config),
      } as const;
      let data = await weights.readRows(table, ids);
      for (const group of groups) {
        await checkpoint?.();
        const hidden = { type: 'float32', dims, data } as const;
        const { encoded } = await group.run({ hidden, buckets });
        data = encoded!.data as Float32Array;
      }
      return { data, tokens };
    },

    async release() {
      await Promise.all(groups.map((group) => group.release()));
    },
  };
}

async function read(folder: string) {
  const file = await readConfig(folder, configSchema);
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
  return { weights, config, table };
}

/** Whether the weights hold what the configuration says, without loading them. @throws as `loadTextEncoder` */
export async function checkTextEncoder(folder: string): Promise<Weights & { vocabulary: number }> {
  const { weights, config, table } = await read(folder);
  t5Graph(weights, config, { from: 0, to: config.layers, form: 'fused' });
  return { ...weights, vocabulary: weights.entry(table).shape[0]! };
}
