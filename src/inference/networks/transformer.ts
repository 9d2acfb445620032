import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { readConfig } from '../checkpoints/config.ts';
import { fromOriginalKeys, hasOriginalKeys } from '../checkpoints/original.ts';
import { createSession, prepackBelow, type SessionOptions, type Tensor } from '../onnx/session.ts';
import { openWeights, type Weights } from '../onnx/weights.ts';
import type { AttentionForm } from './layers.ts';
import { type PositionGrid, positionEmbedding, timestepEmbedding } from './position-embedding.ts';
import type { Compression } from './token-compression.ts';
import {
  conditioningGraph,
  denoisingGraph,
  modulationGraph,
  type TransformerConfig,
  timestepChannels,
} from './transformer.graph.ts';

/** What all steps of an image share on the prompt's side: keys and values of each layer, (s, D). */
export type Conditioning = {
  readonly tokens: number;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly bytes: number;
};

export type Transformer = {
  readonly config: TransformerConfig;
  readonly parameters: number;
  readonly dtype: string;
  /** Once per prompt. `data`: (tokens, captionChannels), real tokens only: there is no mask. */
  condition(caption: { data: Float32Array; tokens: number }): Promise<Conditioning>;
  /**
   * Predicted noise ε (4, height, width) of `latents` (4, height, width).
   *
   * @param latentHeight even, as `latentWidth` is; any size, without a new session
   * @param timestep 0 to 999, fractions allowed
   * @throws EngineFailed, OutOfMemory
   */
  predict(
    latents: Float32Array,
    latentHeight: number,
    latentWidth: number,
    timestep: number,
    conditioning: Conditioning,
  ): Promise<Float32Array>;
  release(): Promise<void>;
};

export type TransformerOptions = SessionOptions & { readonly attention?: AttentionForm };

/** Timesteps whose modulation is kept: 774 kB each in PixArt-Σ XL/2. */
const modulationsKept = 64;
/** Latent sizes whose position embedding is kept: 19 MB each at 1024 pixels in XL/2. */
const positionsKept = 4;

const configSchema = z.object({
  num_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  attention_head_dim: z.int().positive(),
  caption_channels: z.int().positive(),
  in_channels: z.int().positive(),
  out_channels: z.int().positive(),
  patch_size: z.int().positive(),
  sample_size: z.int().positive(),
  norm_eps: z.number().positive().default(1e-6),
  norm_type: z.literal('ada_norm_single').default('ada_norm_single'),
  /** Null: one per 64 latents, at least one. */
  interpolation_scale: z.number().positive().nullish(),
  kv_compress_config: z
    .object({
      sampling: z.enum(['conv', 'ave', 'uniform', 'uniform_every']).nullish(),
      scale_factor: z.int().positive().default(1),
      kv_compress_layer: z.array(z.int().nonnegative()).default([]),
    })
    .nullish(),
});

/**
 * Load `transformer/` of a model folder, under diffusers' key names or PixArt's own.
 *
 * @throws UnusableConfig, WeightsNotFound, DamagedWeights, MissingTensor, TensorMismatch
 */
export async function loadTransformer(
  folder: string,
  { attention = 'fused', ...options }: TransformerOptions,
): Promise<Transformer> {
  const { file, weights, config } = await read(folder);
  const sessionOptions = { prepack: weights.parameters < prepackBelow, ...options };
  const graphs = [
    conditioningGraph(weights, config),
    modulationGraph(weights, config),
    denoisingGraph(weights, { config, form: attention }),
  ] as const;
  const [conditioner, modulator, denoiser] = await Promise.all([
    createSession(graphs[0], sessionOptions),
    createSession(graphs[1], sessionOptions),
    createSession(graphs[2], sessionOptions),
  ]);

  const { channels, patchSize } = config;
  const width = config.heads * config.headDim;
  const base = {
    baseSize: Math.floor(file.sample_size / patchSize),
    interpolationScale: file.interpolation_scale ?? Math.max(Math.floor(file.sample_size / 64), 1),
  };
  const positions = new LRUCache<string, Tensor>({ max: positionsKept });
  const positionOf = (height: number, columns: number): Tensor => {
    const key = `${height}x${columns}`;
    const kept = positions.get(key);
    if (kept !== undefined) return kept;
    const grid: PositionGrid = { ...base, height, width: columns };
    const position = floats(positionEmbedding(grid, width), [height * columns, width]);
    positions.set(key, position);
    return position;
  };

  const modulations = new LRUCache<string, Record<string, Tensor>>({ max: modulationsKept });
  const modulationOf = async (timestep: number, height: number, latentWidth: number) => {
    const key = config.microConditions ? `${timestep}/${height}x${latentWidth}` : `${timestep}`;
    const kept = modulations.get(key);
    if (kept !== undefined) return kept;
    const feeds: Record<string, Tensor> = {
      timestep: floats(timestepEmbedding(timestep), [1, timestepChannels]),
    };
    if (config.microConditions) {
      // Pixels: the VAE's factor is 8.
      const size = [8 * height, 8 * latentWidth, height / latentWidth];
      const rows = size.flatMap((value) => [...timestepEmbedding(value)]);
      feeds['size'] = floats(new Float32Array(rows), [3, timestepChannels]);
    }
    const modulation = await modulator.run(feeds);
    modulations.set(key, modulation);
    return modulation;
  };

  return {
    config,
    parameters: weights.parameters,
    dtype: weights.dtype,

    async condition({ data, tokens }) {
      const feeds = await conditioner.run({
        caption: floats(data, [tokens, config.captionChannels]),
      });
      const bytes = Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0);
      return { tokens, feeds, bytes };
    },

    async predict(latents, latentHeight, latentWidth, timestep, conditioning) {
      if (
        latents.length !== channels * latentHeight * latentWidth ||
        latentHeight % patchSize !== 0 ||
        latentWidth % patchSize !== 0
      ) {
        throw new RangeError(
          `Expected latents (${channels}, ${latentHeight}, ${latentWidth}) with sides that divide by ${patchSize}, but got ${latents.length} values`,
        );
      }
      const { noise } = await denoiser.run({
        latents: floats(latents, [1, channels, latentHeight, latentWidth]),
        position: positionOf(latentHeight / patchSize, latentWidth / patchSize),
        ...(await modulationOf(timestep, latentHeight, latentWidth)),
        ...conditioning.feeds,
      });
      return noise!.data as Float32Array;
    },

    async release() {
      await Promise.all([conditioner.release(), modulator.release(), denoiser.release()]);
    },
  };
}

/** Whether the weights hold what the configuration says, without loading them. @throws as `loadTransformer` */
export async function checkTransformer(folder: string): Promise<Weights> {
  const { weights, config } = await read(folder);
  conditioningGraph(weights, config);
  modulationGraph(weights, config);
  denoisingGraph(weights, { config, form: 'fused' });
  return weights;
}

async function read(folder: string) {
  const file = await readConfig(folder, configSchema);
  const stored = await openWeights(folder, 'diffusion_pytorch_model');
  const weights = hasOriginalKeys(stored) ? fromOriginalKeys(stored) : stored;
  const config: TransformerConfig = {
    // A redistributed PixArt-Σ 900M says 28 and has 42.
    layers: Math.max(file.num_layers, countLayers(weights)),
    heads: file.num_attention_heads,
    headDim: file.attention_head_dim,
    captionChannels: file.caption_channels,
    channels: file.in_channels,
    outChannels: file.out_channels,
    patchSize: file.patch_size,
    normEpsilon: file.norm_eps,
    // By what is there: `use_additional_conditions: null` means yes or no by the model's size.
    microConditions: weights.has('adaln_single.emb.resolution_embedder.linear_1.weight'),
    compression: compressionOf(file.kv_compress_config ?? null, weights),
  };
  return { file, weights, config };
}

function floats(data: Float32Array, dims: readonly number[]): Tensor {
  return { type: 'float32', data, dims };
}

function countLayers(weights: Weights): number {
  let layers = 0;
  while (weights.has(`transformer_blocks.${layers}.scale_shift_table`)) layers++;
  return layers;
}

/** As configured; without a word there, by the convolutions that the weights hold. */
function compressionOf(
  config: z.output<typeof configSchema>['kv_compress_config'] | null,
  weights: Weights,
): Compression | null {
  if (config?.sampling) {
    const { sampling, scale_factor: scaleFactor, kv_compress_layer: layers } = config;
    return { sampling, scaleFactor, layers };
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
