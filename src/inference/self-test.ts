import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttentionForm } from './networks/layers.ts';
import { relativeBuckets, type T5Config, t5Graph } from './networks/text-encoder.graph.ts';
import {
  conditioningGraph,
  denoisingGraph,
  modulationGraph,
  type TransformerConfig,
  timestepChannels,
} from './networks/transformer.graph.ts';
import { type AutoencoderConfig, decoderGraph } from './networks/vae.graph.ts';
import { GraphBuilder } from './onnx/graph.ts';
import {
  countElements,
  encodeSafetensors,
  readSafetensorsHeader,
  type TensorToWrite,
} from './onnx/safetensors.ts';
import { createSession, type ExecutionProvider, type Tensor } from './onnx/session.ts';
import { type Weights, weightsOf } from './onnx/weights.ts';
import { seededNoise } from './sampling/latents.ts';

export type SelfTest = {
  /** Relative error (L2) of a network on a provider, against the composed form on the CPU. */
  error(network: TrialName, provider: ExecutionProvider, attention: AttentionForm): Promise<number>;
  /** Whether the provider is faster at matrix products than the CPU. */
  beatsCpu(provider: ExecutionProvider): Promise<boolean>;
};

/** Head sizes are the real ones: 72 in PixArt, 64 in T5. */
const transformer: TransformerConfig = {
  layers: 2,
  heads: 2,
  headDim: 72,
  captionChannels: 48,
  channels: 4,
  outChannels: 8,
  patchSize: 2,
  normEpsilon: 1e-6,
  microConditions: false,
  compression: { sampling: 'conv', scaleFactor: 2, layers: [1] },
};
const t5: T5Config = {
  layers: 2,
  heads: 2,
  headDim: 64,
  width: 48,
  hidden: 96,
  epsilon: 1e-6,
  buckets: 32,
  maxDistance: 128,
};
const autoencoder: AutoencoderConfig = {
  channels: [16, 32],
  layersPerBlock: 1,
  groups: 8,
  imageChannels: 3,
  latentChannels: 4,
};

const tokens = 21;
const latents = { height: 8, width: 12 };

type Outputs = Record<string, Tensor>;
type Trial = {
  graph(weights: Weights, form: AttentionForm): GraphBuilder;
  /** `before`: the reference's outputs of the trials before. */
  feeds(before: Outputs): Outputs;
};

/** In the order in which their outputs feed each other. */
const trials = {
  'the text encoder': {
    graph: (weights, form) => t5Graph(weights, t5, { from: 0, to: t5.layers, form }),
    feeds: () => ({
      hidden: noise([tokens, t5.width], 1),
      buckets: { type: 'int32', dims: [tokens, tokens], data: relativeBuckets(tokens, t5) },
    }),
  },
  'the caption projection': {
    graph: (weights) => conditioningGraph(weights, transformer),
    feeds: ({ encoded }) => ({ caption: encoded! }),
  },
  'the timestep embedding': {
    graph: (weights) => modulationGraph(weights, transformer),
    feeds: () => ({ timestep: noise([1, timestepChannels], 2) }),
  },
  'the transformer': {
    graph: (weights, form) => denoisingGraph(weights, { config: transformer, form }),
    feeds: (before) => ({
      latents: noise([1, 4, latents.height, latents.width], 3),
      position: noise([24, transformer.heads * transformer.headDim], 4),
      ...Object.fromEntries(
        Object.entries(before).filter(([name]) => /^(k|v|modulation)\./.test(name)),
      ),
    }),
  },
  'the autoencoder': {
    graph: (weights, form) => decoderGraph(weights, autoencoder, form),
    feeds: () => ({ latents: noise([1, 4, latents.height, latents.width], 5) }),
  },
} as const satisfies Record<string, Trial>;

export type TrialName = keyof typeof trials;
export const trialNames = Object.keys(trials) as TrialName[];

/**
 * Tiny networks of random weights, drawn up by the same code as the real ones, and what the CPU
 * makes of them. The folder with the weights is gone when `use` has ended.
 */
export async function withSelfTest<T>(
  threads: number,
  use: (test: SelfTest) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'easel-self-test-'));
  try {
    const file = join(folder, 'weights.safetensors');
    await writeFile(file, encodeSafetensors(randomWeights()));
    const weights = weightsOf(await readSafetensorsHeader(file));

    const run = async (trial: Trial, feeds: Outputs, on: Place): Promise<Outputs> => {
      const graph = trial.graph(weights, on.attention);
      const session = await createSession(graph, { provider: on.provider, threads });
      try {
        return await session.run(feeds);
      } finally {
        await session.release();
      }
    };
    const reference: Place = { provider: 'cpu', attention: 'composed' };
    let all: Outputs = {};
    const references = new Map<TrialName, Outputs>();
    for (const name of trialNames) {
      const outputs = await run(trials[name], trials[name].feeds(all), reference);
      all = { ...all, ...outputs };
      references.set(name, outputs);
    }

    return await use({
      async error(network, provider, attention) {
        const trial = trials[network];
        const outputs = await run(trial, trial.feeds(all), { provider, attention });
        return relativeError(outputs, references.get(network)!);
      },
      async beatsCpu(provider) {
        // What takes so long for so little is software that plays a GPU: no need to see more of it.
        if ((await timeProducts(provider, threads, 256)) > 50) return false;
        const mine = await timeProducts(provider, threads, 1024);
        return mine < (await timeProducts('cpu', threads, 1024));
      },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Place = { readonly provider: ExecutionProvider; readonly attention: AttentionForm };

/** Whatever tensors the trials' graphs ask for, at a scale that keeps what flows through near one. */
function randomWeights(): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = {};
  const made: Weights = {
    ...weightsOf(new Map()),
    has: () => false,
    entry(name, shape = []) {
      const isNorm = shape.length === 1 && name.endsWith('weight');
      const scale = shape.length > 1 ? 1 / Math.sqrt(countElements(shape.slice(1))) : 0.1;
      const random = seededNoise(0, countElements(shape), Object.keys(tensors).length + 1);
      tensors[name] ??= { shape, data: random.map((x) => (isNorm ? 1 : 0) + scale * x) };
      return { dtype: 'F32', shape, file: '', offset: 0, length: 4 * countElements(shape) };
    },
  };
  for (const name of trialNames) trials[name].graph(made, 'composed');
  return tensors;
}

function relativeError(got: Outputs, expected: Outputs): number {
  let [difference, size] = [0, 0];
  for (const [name, { data }] of Object.entries(expected)) {
    const other = got[name]!.data;
    for (let i = 0; i < data.length; i++) {
      difference += (Number(other[i]) - Number(data[i])) ** 2;
      size += Number(data[i]) ** 2;
    }
  }
  const error = Math.sqrt(difference / size);
  return Number.isFinite(error) ? error : Number.POSITIVE_INFINITY;
}

/** Milliseconds for four products of square matrices, once it is warm. */
async function timeProducts(
  provider: ExecutionProvider,
  threads: number,
  side: number,
): Promise<number> {
  const graph = new GraphBuilder();
  const factor = graph.input('factor', [side, side]);
  let product = factor;
  for (let i = 0; i < 4; i++) product = graph.op('MatMul', [product, factor]);
  graph.output('product', product, [side, side]);
  const session = await createSession(graph, { provider, threads });
  try {
    const feeds = { factor: noise([side, side], 6, 1 / Math.sqrt(side)) };
    await session.run(feeds); // The first run compiles.
    const start = performance.now();
    await session.run(feeds);
    return performance.now() - start;
  } finally {
    await session.release();
  }
}

function noise(dims: readonly number[], stream: number, scale = 1): Tensor {
  const data = seededNoise(1, countElements(dims), stream).map((x) => x * scale);
  return { type: 'float32', dims, data };
}
