import type { Checkpoint } from '../checkpoints/checkpoint.ts';
import type { VaeConfig } from '../checkpoints/vae.ts';
import { defaultPlan } from '../onnx/graph.ts';
import { createSessions, type Session, type Tensor } from '../onnx/session.ts';
import { openWeightData } from '../onnx/weight-data.ts';
import type { Pause, Runtime } from './network.ts';
import { type Planes, runTiled, type Tiling } from './tiling.ts';
import { decoderGraph, decoderGraphs, encoderGraphs } from './vae.graph.ts';

export type Vae = {
  /** Latents as the sampler sees them are the encoder's, times this. */
  readonly scalingFactor: number;
  /**
   * Pixels (3, 8·height, 8·width), in about −1 to 1 and not clamped, of latents (4, height, width) as
   * the sampler sees them. Above the size that the VAE was made for, in tiles that are blended. Pauses
   * before each group of layers in each tile. @throws EngineFailed, OutOfMemory, FileChanged
   */
  decode(latents: Float32Array, height: number, width: number, pause?: Pause): Promise<Planes>;
  /**
   * Distribution of the latents of pixels (3, height, width) in −1 to 1: mean and logarithm of the
   * variance (clamped to −30…20), both (4, height/8, width/8) and *not* scaled. The sampler's
   * latents are `(mean + exp(logvar / 2) · noise) · scalingFactor`. @throws as `decode`
   */
  encode(
    pixels: Float32Array,
    height: number,
    width: number,
    pause?: Pause,
  ): Promise<{ mean: Float32Array; logvar: Float32Array; height: number; width: number }>;
  release(): Promise<void>;
};

export type VaeOptions = Runtime & {
  /** Work in tiles above the VAE's own size; without it, memory grows with the image. */
  readonly isTiled?: boolean;
  /** Pixels along a tile's side, at least. */
  readonly smallestTile?: number;
  /** On a CPU, a network of so many numbers runs in groups of layers. */
  readonly splitFrom?: number;
};

/**
 * SDXL's has 84 million, and would take 15 s for one tile on two cores. What is small takes a
 * fraction of that, and groups would cost it a tenth more.
 */
const largeEnoughToSplit = 10_000_000;

/** Part of a tile that the next one covers again. */
const overlap = 0.25;
/** A configuration without `sample_size` has diffusers' default of 32, too small for tiles. */
const usualTile = 512;

/**
 * Load an AutoencoderKL. The encoder's sessions are made when they are first used.
 * @throws FileChanged, FileUnreadable, EngineFailed, OutOfMemory
 */
export async function loadVae(
  { config, weights }: Checkpoint<VaeConfig>,
  {
    plan,
    isTiled = true,
    smallestTile = usualTile,
    splitFrom = largeEnoughToSplit,
    ...session
  }: VaeOptions,
): Promise<Vae> {
  const data = await openWeightData(weights);
  // A decode's peak is many times what is kept: it goes back to the system.
  const options = { ...session, data, arena: false };
  // On a GPU a tile takes less than a second, and what is handed over would leave it and come back.
  const isSplit = session.provider === 'cpu' && weights.parameters >= splitFrom;
  const decoder = await createSessions(
    decoderGraphs(weights, config, { plan, isSplit }),
    options,
  ).catch(async (error) => {
    await data.close();
    throw error;
  });
  let encoder: Promise<readonly Session[]> | undefined;
  const tiling = tilingOf(config, { isTiled, smallestTile });

  return {
    scalingFactor: config.scalingFactor,

    async decode(latents, height, width, pause) {
      const data = latents.map((value) => value / config.scalingFactor);
      const planes: Planes = { data, channels: config.latentChannels, height, width };
      return runTiled(planes, tiling.decode, (tile) => runGroups(decoder, 'latents', tile, pause));
    },

    async encode(pixels, height, width, pause) {
      encoder ??= createSessions(encoderGraphs(weights, config, { plan, isSplit }), options);
      const groups = await encoder.catch((error: unknown) => {
        encoder = undefined;
        throw error;
      });
      const planes: Planes = { data: pixels, channels: config.imageChannels, height, width };
      const moments = await runTiled(planes, tiling.encode, (tile) =>
        runGroups(groups, 'pixels', tile, pause),
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
      await data.close();
    },
  };
}

/** Checks that the weights have the tensors that the configuration implies. @throws DomainError (MODEL_UNAVAILABLE), TensorMismatch */
export function checkVae({ config, weights }: Checkpoint<VaeConfig>): void {
  decoderGraph(weights, config, defaultPlan);
}

function tilingOf(
  { channels, sampleSize }: VaeConfig,
  { isTiled, smallestTile }: { isTiled: boolean; smallestTile: number },
): { decode: Tiling; encode: Tiling } {
  const factor = 2 ** (channels.length - 1);
  const pixelTile = Math.max(sampleSize, smallestTile);
  const latentTile = Math.floor(pixelTile / factor);
  const tiling = (from: number, to: number): Tiling => ({
    tile: isTiled ? from : Number.POSITIVE_INFINITY,
    step: Math.floor(from * (1 - overlap)),
    blend: Math.floor(to * overlap),
    keep: to - Math.floor(to * overlap),
  });
  return { decode: tiling(latentTile, pixelTile), encode: tiling(pixelTile, latentTile) };
}

/** `input` is what the first group calls its input; each hands its one output to the next. */
async function runGroups(
  groups: readonly Session[],
  input: 'latents' | 'pixels',
  { data, channels, height, width }: Planes,
  pause?: Pause,
): Promise<Planes> {
  let x: Tensor = { type: 'float32', dims: [1, channels, height, width], data };
  for (const [index, group] of groups.entries()) {
    await pause?.();
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
