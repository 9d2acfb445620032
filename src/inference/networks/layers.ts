import type { GraphBuilder, Value } from '../onnx/graph.ts';

export type LinearShape = {
  readonly from: number;
  readonly to: number;
  readonly bias?: boolean;
  /** Ranges of the `to` outputs that are computed; all of them where left out. */
  readonly rows?: readonly { readonly start: number; readonly count: number }[];
};

/**
 * x (n, from) → (n, to). The file's own [to, from] layout is read in place; bias where `bias`. Every
 * product with a matrix of the weights goes through here.
 */
export function linear(
  graph: GraphBuilder,
  x: Value,
  name: string,
  { from, to, bias = true, rows }: LinearShape,
): Value {
  const tensor = (parameter: 'weight' | 'bias', shape: readonly number[]) => {
    const parts = rows?.map((range) =>
      graph.weight(`${name}.${parameter}`, shape, { rows: range }),
    );
    return parts
      ? graph.op('Concat', parts, { axis: 0 })
      : graph.weight(`${name}.${parameter}`, shape);
  };
  const weight = tensor('weight', [to, from]);
  return graph.op('Gemm', bias ? [x, weight, tensor('bias', [to])] : [x, weight], { transB: 1 });
}

/** x·σ(x). QuickGelu with alpha 1 is SiLU, in one pass. */
export function silu(graph: GraphBuilder, x: Value): Value {
  return graph.microsoft('QuickGelu', [x], { alpha: { float: 1 } });
}

/** The tanh form, which PixArt and T5 v1.1 were trained with. */
export function gelu(graph: GraphBuilder, x: Value): Value {
  return graph.microsoft('FastGelu', [x]);
}

/** Normalise the last axis, then `· scale + shift`, both (width). */
export function layerNorm(
  graph: GraphBuilder,
  x: Value,
  { scale, shift, epsilon }: { scale: Value; shift: Value; epsilon: number },
): Value {
  return graph.op('LayerNormalization', [x, scale, shift], {
    axis: -1,
    epsilon: { float: epsilon },
  });
}

/**
 * softmax(q kᵀ · scale + bias) v, per head.
 * q (n, heads·dim), k and v (m, heads·dim), bias (1, heads, n, m) → (n, heads·dim)
 */
export function attention(
  graph: GraphBuilder,
  { q, k, v, bias }: { q: Value; k: Value; v: Value; bias?: Value },
  { heads, headDim, scale }: { heads: number; headDim: number; scale: number },
): Value {
  const width = heads * headDim;
  if (graph.plan.attention === 'fused') {
    const [q3, k3, v3] = [q, k, v].map((x) => graph.op('Reshape', [x, graph.ints([1, -1, width])]));
    const attended = graph.microsoft(
      'MultiHeadAttention',
      bias === undefined ? [q3!, k3!, v3!] : [q3!, k3!, v3!, null, null, bias],
      { num_heads: heads, scale: { float: scale } },
    ); // (1, n, width)
    return graph.op('Reshape', [attended, graph.ints([-1, width])]);
  }
  const perHead = (x: Value, perm: readonly number[]) =>
    graph.op('Transpose', [graph.op('Reshape', [x, graph.ints([-1, heads, headDim])])], { perm });
  const keys = perHead(k, [1, 2, 0]); // (heads, dim, m)
  const queries = graph.op('Mul', [perHead(q, [1, 0, 2]), graph.floats([scale], [])]); // (heads, n, dim)
  const scores = graph.op('MatMul', [queries, keys]); // (heads, n, m)
  const biased =
    bias === undefined
      ? scores
      : graph.op('Add', [scores, graph.op('Squeeze', [bias, graph.ints([0])])]);
  const weights = graph.op('Softmax', [biased], { axis: -1 });
  const attended = graph.op('MatMul', [weights, perHead(v, [1, 0, 2])]); // (heads, n, dim)
  const tokensFirst = graph.op('Transpose', [attended], { perm: [1, 0, 2] });
  return graph.op('Reshape', [tokensFirst, graph.ints([-1, width])]);
}
