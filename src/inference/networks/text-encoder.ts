import type { T5Config, TextEncoderCheckpoint } from '../checkpoints/text-encoder.ts';
import { defaultPlan, type GraphBuilder, type Plan } from '../onnx/graph.ts';
import { createSessions } from '../onnx/session.ts';
import { openWeightData } from '../onnx/weight-data.ts';
import type { Weights } from '../onnx/weights.ts';
import type { Pause, Runtime } from './network.ts';
import { relativeBuckets, t5Graph } from './text-encoder.graph.ts';

/** Of a prompt: (tokens, width), real tokens only. */
export type Embedding = { readonly data: Float32Array; readonly tokens: number };

export type TextEncoder = {
  /** Channels of an embedding. */
  readonly width: number;
  /** Embedding of a prompt. `ids` end in the end-of-text id and are not padded. @throws FileChanged */
  encode(ids: ArrayLike<number>, pause?: Pause): Promise<Embedding>;
  release(): Promise<void>;
};

/**
 * Load the encoder of a T5 v1.1. The embedding table stays in its file; the rows that a prompt needs
 * are read.
 * @throws FileChanged, FileUnreadable, EngineFailed, OutOfMemory
 */
export async function loadTextEncoder(
  { config, weights, table }: TextEncoderCheckpoint,
  { plan, layersPerRun = 6, ...session }: Runtime & { readonly layersPerRun?: number },
): Promise<TextEncoder> {
  const data = await openWeightData(weights);
  const graphs = layerGroups(weights, config, { plan, layersPerRun });
  const groups = await createSessions(graphs, { ...session, data }).catch(async (error) => {
    await data.close();
    throw error;
  });
  return {
    width: config.width,

    async encode(ids, pause) {
      const tokens = ids.length;
      const dims = [tokens, config.width];
      const buckets = {
        type: 'int32',
        dims: [tokens, tokens],
        data: relativeBuckets(tokens, config),
      } as const;
      let hidden = await data.readRows(table, ids);
      for (const group of groups) {
        await pause?.();
        const { encoded } = await group.run({
          hidden: { type: 'float32', dims, data: hidden },
          buckets,
        });
        hidden = encoded!.data as Float32Array;
      }
      return { data: hidden, tokens };
    },

    async release() {
      await Promise.all(groups.map((group) => group.release()));
      await data.close();
    },
  };
}

/** Checks that the weights have the tensors that the configuration implies. @throws DomainError (MODEL_UNAVAILABLE), TensorMismatch */
export function checkTextEncoder({ config, weights }: TextEncoderCheckpoint): void {
  layerGroups(weights, config, { plan: defaultPlan, layersPerRun: config.layers });
}

function layerGroups(
  weights: Weights,
  config: T5Config,
  { plan, layersPerRun }: { plan: Plan; layersPerRun: number },
): GraphBuilder[] {
  const graphs: GraphBuilder[] = [];
  for (let from = 0; from < config.layers; from += layersPerRun) {
    const to = Math.min(from + layersPerRun, config.layers);
    graphs.push(t5Graph(weights, config, { from, to, plan }));
  }
  return graphs;
}
