import { LRUCache } from 'lru-cache';
import type { Checkpoint } from '../checkpoints/checkpoint.ts';
import type { TransformerConfig } from '../checkpoints/transformer.ts';
import { defaultPlan, type Plan } from '../onnx/graph.ts';
import { createSessions, type Session, type Tensor } from '../onnx/session.ts';
import { openWeightData } from '../onnx/weight-data.ts';
import type { Weights } from '../onnx/weights.ts';
import type { Pause, Runtime } from './network.ts';
import { positionEmbedding, timestepEmbedding } from './position-embedding.ts';
import type { Embedding } from './text-encoder.ts';
import { checkGrid, type Grid } from './token-compression.ts';
import {
  conditioningGraph,
  denoisingGraph,
  modulationGraph,
  perturbedLayers,
  timestepChannels,
} from './transformer.graph.ts';

/** What all steps of an image share on the prompt's side: keys and values of each layer, (s, D). */
export type Conditioning = {
  readonly tokens: number;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly bytes: number;
};

/** One evaluation: noisy latents, how noisy they are, and what they are to become. */
export type TransformerInput = {
  /** (4, height, width) */
  readonly latents: Float32Array;
  /** Even, as `width` is; any size, without a new session. */
  readonly height: number;
  readonly width: number;
  /** 0 to 999, fractions allowed. */
  readonly timestep: number;
  readonly conditioning: Conditioning;
  /** Whether the self-attention of some layers is the identity (`perturbedLayers`). Left out: it is not. */
  readonly isPerturbed?: boolean;
};

export type Transformer = {
  readonly config: TransformerConfig;
  /** Once per prompt. There is no mask: real tokens only. */
  condition(caption: Embedding): Promise<Conditioning>;
  /**
   * Predicted noise ε (4, height, width) of each input, in their order.
   * @throws RangeError, DomainError (BAD_USER_INPUT), EngineFailed, OutOfMemory, FileChanged
   */
  predict(inputs: readonly TransformerInput[], pause?: Pause): Promise<Float32Array[]>;
  release(): Promise<void>;
};

/** Timesteps whose modulation is kept: 774 kB each in PixArt-Σ XL/2. */
const modulationsKept = 64;
/** Latent sizes whose position embedding is kept: 19 MB each at 1024 pixels in XL/2. */
const positionsKept = 4;

/**
 * Load a diffusion transformer.
 * @throws FileChanged, FileUnreadable, EngineFailed, OutOfMemory
 */
export async function loadTransformer(
  { config, weights }: Checkpoint<TransformerConfig>,
  { plan, ...session }: Runtime,
): Promise<Transformer> {
  const data = await openWeightData(weights);
  const graphs = graphsOf(weights, config, plan);
  const sessions = await createSessions(graphs, { ...session, data }).catch(async (error) => {
    await data.close();
    throw error;
  });
  const [conditioner, modulator, denoiser] = sessions;
  const { channels, patchSize } = config;
  const positionOf = createPositions(config);
  const perturbed = whenNeeded(async () => {
    const graph = denoisingGraph(weights, config, plan, perturbedLayers(config.layers));
    const [one] = await createSessions([graph], { ...session, data });
    return one;
  });

  const modulations = new LRUCache<string, Record<string, Tensor>>({ max: modulationsKept });
  const modulationOf = async ({ timestep, height, width }: TransformerInput) => {
    const key = config.microConditions ? `${timestep}/${height}x${width}` : `${timestep}`;
    const kept = modulations.get(key);
    if (kept !== undefined) return kept;
    const feeds: Record<string, Tensor> = {
      timestep: floats(timestepEmbedding(timestep), [1, timestepChannels]),
    };
    if (config.microConditions) {
      // Pixels: the VAE's factor is 8.
      const size = [8 * height, 8 * width, height / width];
      const rows = size.flatMap((value) => [...timestepEmbedding(value)]);
      feeds['size'] = floats(new Float32Array(rows), [3, timestepChannels]);
    }
    const modulation = await modulator.run(feeds);
    modulations.set(key, modulation);
    return modulation;
  };

  async function predictOne(input: TransformerInput): Promise<Float32Array> {
    const { latents, height, width, conditioning } = input;
    const grid = { height: height / patchSize, width: width / patchSize };
    checkInput(config, input, grid);
    const { noise } = await (input.isPerturbed ? await perturbed.get() : denoiser).run({
      latents: floats(latents, [1, channels, height, width]),
      position: positionOf(grid),
      ...(await modulationOf(input)),
      ...conditioning.feeds,
    });
    return noise!.data as Float32Array;
  }

  return {
    config,

    async condition({ data, tokens }) {
      const feeds = await conditioner.run({
        caption: floats(data, [tokens, config.captionChannels]),
      });
      const bytes = Object.values(feeds).reduce((sum, { data }) => sum + data.byteLength, 0);
      return { tokens, feeds, bytes };
    },

    async predict(inputs, pause) {
      const predictions: Float32Array[] = [];
      for (const [index, input] of inputs.entries()) {
        if (index > 0) await pause?.();
        predictions.push(await predictOne(input));
      }
      return predictions;
    },

    async release() {
      await Promise.all([...sessions.map((one) => one.release()), perturbed.release()]);
      await data.close();
    },
  };
}

/** A session that is made when it is first asked for. Where that fails, the next one to ask tries again. */
function whenNeeded(make: () => Promise<Session>) {
  let session: Session | undefined;
  return {
    /** @throws what `make` throws */
    async get() {
      session ??= await make();
      return session;
    },
    release: async () => session?.release(),
  };
}

/** Checks that the weights have the tensors that the configuration implies. @throws DomainError (MODEL_UNAVAILABLE), TensorMismatch */
export function checkTransformer({ config, weights }: Checkpoint<TransformerConfig>): void {
  graphsOf(weights, config, defaultPlan);
}

function graphsOf(weights: Weights, config: TransformerConfig, plan: Plan) {
  return [
    conditioningGraph(weights, config, plan),
    modulationGraph(weights, config, plan),
    denoisingGraph(weights, config, plan),
  ] as const;
}

/** Position embeddings of the last used sizes, (height · width, D), tokens down and across given. */
function createPositions(config: TransformerConfig): (grid: Grid) => Tensor {
  const { heads, headDim, sampleSize, patchSize, interpolationScale } = config;
  const width = heads * headDim;
  const baseSize = Math.floor(sampleSize / patchSize);
  const kept = new LRUCache<string, Tensor>({ max: positionsKept });
  return (grid) => {
    const key = `${grid.height}x${grid.width}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const table = positionEmbedding({ ...grid, baseSize, interpolationScale }, width);
    const position = floats(table, [grid.height * grid.width, width]);
    kept.set(key, position);
    return position;
  };
}

function checkInput(config: TransformerConfig, input: TransformerInput, grid: Grid): void {
  const { channels, patchSize, compression } = config;
  const { latents, height, width } = input;
  const isWhole = Number.isInteger(grid.height) && Number.isInteger(grid.width);
  if (latents.length !== channels * height * width || !isWhole) {
    throw new RangeError(
      `Expected latents (${channels}, ${height}, ${width}) with sides that divide by ${patchSize}, but got ${latents.length} values`,
    );
  }
  checkGrid(compression, grid);
}

function floats(data: Float32Array, dims: readonly number[]): Tensor {
  return { type: 'float32', data, dims };
}
