/**
 * The T5 v1.1 encoder, in groups of layers: a long run is split, so that a cancelled job frees the
 * engine between two groups. Source: transformers `models/t5/modeling_t5.py`.
 *
 * Shapes: s tokens (unpadded: there is no mask), D channels, inner = heads · headDim.
 */
import { GraphBuilder, type Value } from '../onnx/graph.ts';
import type { Weights } from '../onnx/weights.ts';
import { type AttentionForm, attention, gelu, linear } from './layers.ts';

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

/**
 * Layers `from` to `to` (not included). `hidden` (s, D), `buckets` (s, s) → `encoded` (s, D);
 * the group that ends with the last layer norms its result.
 */
export function t5Graph(
  weights: Weights,
  config: T5Config,
  { from, to, form }: { from: number; to: number; form: AttentionForm },
): GraphBuilder {
  const graph = new GraphBuilder(weights);
  let x = graph.input('hidden', ['s', config.width]);
  const bias = positionBias(graph, config);
  for (let layer = from; layer < to; layer++) x = block(graph, config, { x, bias, layer, form });
  if (to === config.layers) x = rmsNorm(graph, config, x, 'encoder.final_layer_norm');
  graph.output('encoded', x, ['s', config.width]);
  return graph;
}

/** One table, kept in the first block, serves all of them. → (1, heads, s, s) */
function positionBias(graph: GraphBuilder, { buckets, heads }: T5Config): Value {
  const table = graph.weight(
    'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
    [buckets, heads],
  );
  const perPair = graph.op('Gather', [table, graph.input('buckets', ['s', 's'], 'int32')]);
  const perHead = graph.op('Transpose', [perPair], { perm: [2, 0, 1] }); // (heads, s, s)
  return graph.op('Unsqueeze', [perHead, graph.ints([0])]);
}

/** x (s, D) → (s, D) */
function block(
  graph: GraphBuilder,
  config: T5Config,
  { x, bias, layer, form }: { x: Value; bias: Value; layer: number; form: AttentionForm },
): Value {
  const { width, hidden, heads, headDim } = config;
  const inner = heads * headDim;
  const name = `encoder.block.${layer}.layer`;

  const normed = rmsNorm(graph, config, x, `${name}.0.layer_norm`);
  const project = (value: Value, part: string, from: number, to: number) =>
    linear(graph, value, `${name}.0.SelfAttention.${part}`, { from, to, bias: false });
  const attended = attention(
    graph,
    {
      q: project(normed, 'q', width, inner), // (s, inner)
      k: project(normed, 'k', width, inner),
      v: project(normed, 'v', width, inner),
      bias,
    },
    // T5 does not scale its scores.
    { heads, headDim, scale: 1, form },
  );
  const x1 = graph.op('Add', [x, project(attended, 'o', inner, width)]);

  const normed1 = rmsNorm(graph, config, x1, `${name}.1.layer_norm`);
  const feed = (value: Value, part: string, from: number, to: number) =>
    linear(graph, value, `${name}.1.DenseReluDense.${part}`, { from, to, bias: false });
  const gate = gelu(graph, feed(normed1, 'wi_0', width, hidden)); // (s, hidden)
  const gated = graph.op('Mul', [gate, feed(normed1, 'wi_1', width, hidden)]);
  return graph.op('Add', [x1, feed(gated, 'wo', hidden, width)]);
}

/** x / √(mean(x²) + ε) · w */
function rmsNorm(graph: GraphBuilder, config: T5Config, x: Value, name: string): Value {
  const weight = graph.weight(`${name}.weight`, [config.width]);
  return graph.op('SimplifiedLayerNormalization', [x, weight], {
    axis: -1,
    epsilon: { float: config.epsilon },
  });
}

/**
 * Bucket of every (query, key) pair by distance: half of the buckets for keys behind, half for keys
 * ahead; in each, single distances first, then ever wider (logarithmic) ranges.
 * Source: `T5Attention._relative_position_bucket`, bidirectional. → (tokens, tokens)
 */
export function relativeBuckets(
  tokens: number,
  { buckets, maxDistance }: Pick<T5Config, 'buckets' | 'maxDistance'>,
): Int32Array {
  const perSide = Math.floor(buckets / 2);
  const exact = Math.floor(perSide / 2);
  const bucketOf = (distance: number) => {
    if (distance < exact) return distance;
    const octaves = Math.log(distance / exact) / Math.log(maxDistance / exact);
    return Math.min(exact + Math.floor(octaves * (perSide - exact)), perSide - 1);
  };
  const table = new Int32Array(tokens * tokens);
  for (let query = 0; query < tokens; query++) {
    for (let key = 0; key < tokens; key++) {
      const side = key > query ? perSide : 0;
      table[query * tokens + key] = side + bucketOf(Math.abs(key - query));
    }
  }
  return table;
}
