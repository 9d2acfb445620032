import { join } from 'node:path';
import { z } from 'zod';
import { FileDamaged } from '../onnx/file.ts';
import type { Weights } from '../onnx/weights.ts';
import { type Checkpoint, identityOf, versionsOf } from './checkpoint.ts';
import { readJson } from './json-file.ts';
import { fromOriginalKeys, hasOriginalKeys } from './original.ts';
import { openWeights } from './weight-files.ts';

/** Key/value token compression: self-attention sees a grid that is `scaleFactor` coarser per axis. */
export type Compression = {
  readonly sampling: 'conv' | 'ave' | 'uniform' | 'uniform_every';
  readonly scaleFactor: number;
  readonly layers: readonly number[];
};

export type TransformerConfig = {
  /** diffusers' class, where the file names one. */
  readonly className: string | null;
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly captionChannels: number;
  /** Latent channels in and, leaving out the learned variance, out. */
  readonly channels: number;
  /** Channels that `proj_out` has, variance included. */
  readonly outChannels: number;
  readonly patchSize: number;
  readonly normEpsilon: number;
  /** Latents along the side of the square that it was trained on. */
  readonly sampleSize: number;
  /** Of the position embedding. */
  readonly interpolationScale: number;
  /** Whether resolution and aspect ratio are conditions too (PixArt-α at 1024 pixels). */
  readonly microConditions: boolean;
  readonly compression: Compression | null;
};

const count = () => z.int().positive().max(1_000_000);

const fileSchema = z.object({
  _class_name: z.string().nullish(),
  num_layers: count(),
  num_attention_heads: count(),
  attention_head_dim: count(),
  caption_channels: count(),
  in_channels: count(),
  out_channels: count(),
  patch_size: z.int().positive().max(16),
  sample_size: z.int().min(8).max(1024),
  norm_eps: z.number().positive().max(1).default(1e-6),
  norm_type: z.literal('ada_norm_single').default('ada_norm_single'),
  // What the graph computes; other values are other networks.
  norm_elementwise_affine: z.literal(false).default(false),
  activation_fn: z.literal('gelu-approximate').default('gelu-approximate'),
  attention_bias: z.literal(true).default(true),
  attention_type: z.literal('default').default('default'),
  /** Null: as the weights are. */
  use_additional_conditions: z.boolean().nullish(),
  /** Null: one per 64 latents, at least one. */
  interpolation_scale: z.number().min(1e-3).max(1e3).nullish(),
  kv_compress_config: z
    .object({
      sampling: z.enum(['conv', 'ave', 'uniform', 'uniform_every']).nullish(),
      scale_factor: z.int().positive().max(64).default(1),
      kv_compress_layer: z.array(z.int().nonnegative()).default([]),
    })
    .nullish(),
});

/**
 * Read `transformer/` of a model folder, under diffusers' key names or PixArt's own.
 * @throws FileUnreadable, FileDamaged, DomainError (MODEL_UNAVAILABLE), TensorMismatch
 */
export async function openTransformer(folder: string): Promise<Checkpoint<TransformerConfig>> {
  const { value: file, stamp } = await readJson(join(folder, 'config.json'), fileSchema);
  const stored = await openWeights(folder, 'diffusion_pytorch_model');
  const weights = hasOriginalKeys(stored) ? fromOriginalKeys(stored) : stored;
  const config: TransformerConfig = {
    className: file._class_name ?? null,
    // The configuration of a redistributed PixArt-Σ 900M has 28, its weights 42.
    layers: Math.max(file.num_layers, countLayers(weights)),
    heads: file.num_attention_heads,
    headDim: file.attention_head_dim,
    captionChannels: file.caption_channels,
    channels: file.in_channels,
    outChannels: file.out_channels,
    patchSize: file.patch_size,
    normEpsilon: file.norm_eps,
    sampleSize: file.sample_size,
    interpolationScale: file.interpolation_scale ?? Math.max(Math.floor(file.sample_size / 64), 1),
    // By what is there, because older configurations of Σ leave it out, and are not of the kind that
    // diffusers takes them for. Where it is true, missing weights are found as others are.
    microConditions:
      file.use_additional_conditions ??
      weights.has('adaln_single.emb.resolution_embedder.linear_1.weight'),
    compression: compressionOf(file.kv_compress_config ?? null, weights),
  };
  const beyond = config.compression?.layers.find((layer) => layer >= config.layers);
  if (beyond !== undefined) {
    throw new FileDamaged(
      join(folder, 'config.json'),
      `Expected kv_compress_layer below ${config.layers}, but got ${beyond}`,
    );
  }
  return { config, weights, identity: identityOf(versionsOf([stamp, ...weights.files])) };
}

function countLayers(weights: Weights): number {
  let layers = 0;
  while (weights.has(`transformer_blocks.${layers}.scale_shift_table`)) layers++;
  return layers;
}

/** As configured; without a configuration, by the convolutions among the weights. */
function compressionOf(
  config: z.output<typeof fileSchema>['kv_compress_config'] | null,
  weights: Weights,
): Compression | null {
  if (config?.sampling) {
    const { sampling, scale_factor: scaleFactor, kv_compress_layer: layers } = config;
    return layers.length === 0 || scaleFactor === 1 ? null : { sampling, scaleFactor, layers };
  }
  const kernels = weights.names().flatMap((name) => {
    const layer = /^transformer_blocks\.(\d+)\.attn1\.sr\.weight$/.exec(name)?.[1];
    return layer === undefined
      ? []
      : [{ layer: Number(layer), side: weights.entry(name).shape[2] }];
  });
  const scaleFactor = kernels[0]?.side;
  if (scaleFactor === undefined) return null;
  return { sampling: 'conv', scaleFactor, layers: kernels.map(({ layer }) => layer) };
}
