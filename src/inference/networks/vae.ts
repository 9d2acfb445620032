import { z } from 'zod';
import { readConfig } from '../checkpoints/config.ts';
import type { GraphBuilder } from '../onnx/graph.ts';
import {
  createSession,
  prepackBelow,
  type Session,
  type SessionOptions,
  type Tensor,
} from '../onnx/session.ts';
import { openWeights, type Weights } from '../onnx/weights.ts';
import type { AttentionForm } from './layers.ts';
import { type Planes, runTiled, type Tiling } from './tiling.ts';
import { type AutoencoderConfig, decoderGraph, decoderGraphs, encoderGraphs } from './vae.graph.ts';

export type Vae = {
  /** Latents as the sampler sees them are the encoder's, times this. */
  readonly scalingFactor: number;
  readonly parameters: number;
  readonly dtype: string;
  /**
   * Pixels (3, 8·height, 8·width), in about −1 to 1 and not clamped, of latents (4, height, width) as
   * the sampler sees them. Above the size that the VAE was made for, in tiles that are blended.
   * `checkpoint` is awaited before each group of layers in each tile; what it throws ends the run.
   */
  decode(
    latents: Float32Array,
    height: number,
    width: number,
    checkpoint?: () => Promise<void>,
  ): Promise<Planes>;
  /**
   * Distribution of the latents of pixels (3, height, width) in −1 to 1: mean and logarithm of the
   * variance (clamped to −30…20), both (4, height/8, width/8) and *not* scaled. The sampler's
   * latents are `(mean + exp(logvar / 2) · noise) · scalingFactor`.
   */
  encode(
    pixels: Float32Array,
    height: number,
    width: number,
    checkpoint?: () => Promise<void>,
  ): Promise<{ mean: Float32Array; logvar: Float32Array; height: number; width: number }>;
  release(): Promise<void>;
};

export type VaeOptions = SessionOptions & {
  readonly attention?: AttentionForm;
  /** Work in tiles above the VAE's own size; without it, memory grows with the picture. */
  readonly tiling?: boolean;
  /** On a CPU, a network of so many numbers runs in groups of layers. */
  readonly splitFrom?: number;
};

const configSchema = z.object({
  block_out_channels: z.array(z.int().positive()).min(1),
  layers_per_block: z.int().positive(),
  norm_num_groups: z.int().positive().default(32),
  in_channels: z.int().positive().default(3),
  latent_channels: z.int().positive().default(4),
  sample_size: z.int().positive(),
  scaling_factor: z.number().positive(),
  act_fn: z.literal('silu').default('silu'),
});

/**
 * SDXL's has 84 million, and would take 15 s for one tile on two cores. What is small takes a
 * fraction of that, and groups would cost it a tenth more.
 */
const largeEnoughToSplit = 10_000_000;

/** Part of a tile that the next one covers again. */
const overlap = 0.25;

/**
 * Load `vae/` of a model folder. The encoder's session is made when it is first used.
 *
 * @throws UnusableConfig, WeightsNotFound, DamagedWeights, MissingTensor, TensorMismatch
 */
export async function loadVae(
  folder: string,
  {
    attention: form = 'fused',
    tiling = true,
    splitFrom = largeEnoughToSplit,
    ...options
  }: VaeOptions,
): Promise<Vae> {
  const { file, weights, config } = await read(folder);
  // A decode's peak is many times what is kept: it goes back to the system.
  const sessionOptions = { prepack: weights.parameters < prepackBelow, arena: false, ...options };
  // On a GPU a tile takes less than a second, and what is handed over would leave it and come back.
  const isSplit = options.provider === 'cpu' && weights.parameters >= splitFrom;
  const drawing = { form, isSplit };
  const decoder = await openGroups(decoderGraphs(weights, config, drawing), sessionOptions);
  let encoder: Promise<Session[]> | undefined;

  const factor = 2 ** (config.channels.length - 1);
  const pixelTile = file.sample_size;
  const latentTile = Math.floor(pixelTile / factor);
  const decodeTiling: Tiling = {
    tile: tiling ? latentTile : Number.POSITIVE_INFINITY,
    step: Math.floor(latentTile * (1 - overlap)),
    blend: Math.floor(pixelTile * overlap),
    keep: pixelTile - Math.floor(pixelTile * overlap),
  };
  const encodeTiling: Tiling = {
    tile: tiling ? pixelTile : Number.POSITIVE_INFINITY,
    step: Math.floor(pixelTile * (1 - overlap)),
    blend: Math.floor(latentTile * overlap),
    keep: latentTile - Math.floor(latentTile * overlap),
  };

  return {
    scalingFactor: file.scaling_factor,
    parameters: weights.parameters,
    dtype: weights.dtype,

    async decode(latents, height, width, checkpoint) {
      const data = latents.map((value) => value / file.scaling_factor);
      const planes: Planes = { data, channels: config.latentChannels, height, width };
      return runTiled(planes, decodeTiling, (tile) =>
        runGroups(decoder, 'latents', tile, checkpoint),
      );
    },

    async encode(pixels, height, width, checkpoint) {
      encoder ??= openGroups(encoderGraphs(weights, config, drawing), sessionOptions);
      const groups = await encoder.catch((fault: unknown) => {
        encoder = undefined;
        throw fault;
      });
      const planes: Planes = { data: pixels, channels: config.imageChannels, height, width };
      const moments = await runTiled(planes, encodeTiling, (tile) =>
        runGroups(groups, 'pixels', tile, checkpoint),
      );
      const half = moments.data.length / 2;
      return {
        mean: moments.data.slice(0, half),
        logvar: moments.data.slice(half).map((value) => Math.min(Math.max(value, -30), 20)),
        height: moments.height,
        width: moments.width,
      };
    },

    async release() {
      const groups = [...decoder, ...((await encoder) ?? [])];
      await Promise.all(groups.map((group) => group.release()));
    },
  };
}

async function openGroups(
  graphs: readonly GraphBuilder[],
  options: SessionOptions,
): Promise<Session[]> {
  const groups: Session[] = [];
  for (const graph of graphs) groups.push(await createSession(graph, options));
  return groups;
}

/** `input` is what the first group calls its input; each hands its one output to the next. */
async function runGroups(
  groups: readonly Session[],
  input: 'latents' | 'pixels',
  { data, channels, height, width }: Planes,
  checkpoint?: () => Promise<void>,
): Promise<Planes> {
  let x: Tensor = { type: 'float32', dims: [1, channels, height, width], data };
  for (const [index, group] of groups.entries()) {
    await checkpoint?.();
    const outputs = await group.run({ [index === 0 ? input : 'x']: x });
    x = Object.values(outputs)[0]!;
  }
  const [, outChannels, outHeight, outWidth] = x.dims as [number, number, number, number];
  return {
    data: x.data as Float32Array,
    channels: outChannels,
    height: outHeight,
    width: outWidth,
  };
}

async function read(folder: string) {
  const file = await readConfig(folder, configSchema);
  const weights = await openWeights(folder, 'diffusion_pytorch_model');
  const config: AutoencoderConfig = {
    channels: file.block_out_channels,
    layersPerBlock: file.layers_per_block,
    groups: file.norm_num_groups,
    imageChannels: file.in_channels,
    latentChannels: file.latent_channels,
  };
  return { file, weights, config };
}

/** Whether the weights hold what the configuration says, without loading them. @throws as `loadVae` */
export async function checkVae(folder: string): Promise<Weights> {
  const { weights, config } = await read(folder);
  decoderGraph(weights, config, 'fused');
  return weights;
}
