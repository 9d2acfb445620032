/**
 * PixArt-Σ's diffusion transformer, as three graphs: what depends on the prompt, what depends on
 * the timestep, and the rest, which is run at every step.
 *
 * Sources: PixArt-sigma `diffusion/model/nets/{PixArtMS,PixArt_blocks}.py` and diffusers
 * `models/transformers/pixart_transformer_2d.py` (both define the same network), arXiv 2403.04692.
 *
 * Shapes: n image tokens, s caption tokens, D = heads · headDim channels. There is no batch axis:
 * prompts have different lengths, and a CPU gains nothing from batching.
 */
import type { TransformerConfig } from '../checkpoints/transformer.ts';
import { GraphBuilder, type Plan, type Value } from '../onnx/graph.ts';
import type { Weights } from '../onnx/weights.ts';
import { attention, gelu, layerNorm, linear, silu } from './layers.ts';
import { compressTokens } from './token-compression.ts';

/** Channels of the timestep's sinusoid. */
export const timestepChannels = 256;
/**
 * Keys and values of all cross-attentions.
 * `caption` (s, captionChannels) → `k.{layer}`, `v.{layer}` (s, D)
 */
export function conditioningGraph(
  weights: Weights,
  config: TransformerConfig,
  plan: Plan,
): GraphBuilder {
  const graph = new GraphBuilder(weights, plan);
  const width = config.heads * config.headDim;
  const caption = graph.input('caption', ['s', config.captionChannels]);
  const hidden = gelu(
    graph,
    linear(graph, caption, 'caption_projection.linear_1', {
      from: config.captionChannels,
      to: width,
    }),
  );
  const y = linear(graph, hidden, 'caption_projection.linear_2', { from: width, to: width });
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `transformer_blocks.${layer}.attn2`;
    const square = { from: width, to: width };
    graph.output(`k.${layer}`, linear(graph, y, `${name}.to_k`, square), ['s', width]);
    graph.output(`v.${layer}`, linear(graph, y, `${name}.to_v`, square), ['s', width]);
  }
  return graph;
}

/**
 * adaLN-single: six vectors for each block and two for the last layer, scales with their one added.
 * `timestep` (1, 256), `size` (3, 256) with micro-conditions (height, width, aspect ratio)
 * → `modulation.{layer}` (6·D): shift, scale, gate of attention, then of the MLP;
 * → `modulation.out` (2·D): shift, scale
 */
export function modulationGraph(
  weights: Weights,
  config: TransformerConfig,
  plan: Plan,
): GraphBuilder {
  const graph = new GraphBuilder(weights, plan);
  const width = config.heads * config.headDim;
  const mlp = (x: Value, name: string, to: number) => {
    const hidden = silu(
      graph,
      linear(graph, x, `${name}.linear_1`, { from: timestepChannels, to }),
    );
    return linear(graph, hidden, `${name}.linear_2`, { from: to, to });
  };
  const timestep = graph.input('timestep', [1, timestepChannels]);
  let embedded = mlp(timestep, 'adaln_single.emb.timestep_embedder', width); // (1, D)
  if (config.microConditions) {
    const size = graph.input('size', [3, timestepChannels]);
    const resolution = mlp(size, 'adaln_single.emb.resolution_embedder', width / 3); // (3, D/3)
    const aspect = mlp(size, 'adaln_single.emb.aspect_ratio_embedder', width / 3); // (3, D/3)
    const sides = graph.op('Slice', [resolution, graph.ints([0]), graph.ints([2])]);
    const ratio = graph.op('Slice', [aspect, graph.ints([2]), graph.ints([3])]);
    const joined = graph.op('Concat', [sides, ratio], { axis: 0 }); // (3, D/3)
    embedded = graph.op('Add', [embedded, graph.op('Reshape', [joined, graph.ints([1, -1])])]);
  }
  const t0 = linear(graph, silu(graph, embedded), 'adaln_single.linear', {
    from: width,
    to: 6 * width,
  });
  const perPart = graph.op('Reshape', [t0, graph.ints([6, width])]); // (6, D)
  // Scales act as 1 + scale: rows 1 and 4 of a block, row 1 of the last layer.
  const ones = graph.floats([0, 1, 0, 0, 1, 0], [6, 1]);
  for (let layer = 0; layer < config.layers; layer++) {
    const table = graph.weight(`transformer_blocks.${layer}.scale_shift_table`, [6, width]);
    const rows = graph.op('Add', [graph.op('Add', [table, perPart]), ones]);
    graph.output(`modulation.${layer}`, graph.op('Reshape', [rows, graph.ints([-1])]), [6 * width]);
  }
  // The last layer takes the embedded timestep itself: before SiLU, before adaln_single.linear.
  const last = graph.op('Add', [graph.weight('scale_shift_table', [2, width]), embedded]);
  const rows = graph.op('Add', [last, graph.floats([0, 1], [2, 1])]);
  graph.output('modulation.out', graph.op('Reshape', [rows, graph.ints([-1])]), [2 * width]);
  return graph;
}

/**
 * The layers whose self-attention perturbed-attention guidance leaves out: those of diffusers'
 * `PixArtSigmaPAGPipeline`. Its default, `blocks.1`, is searched for in the names of the layers, and found in
 * 1 and 10 to 19. A model of one layer has that one.
 */
export function perturbedLayers(layers: number): number[] {
  const indices = Array.from({ length: layers }, (_, layer) => layer);
  return layers === 1 ? [0] : indices.filter((layer) => layer === 1 || (layer >= 10 && layer < 20));
}

/**
 * One step. `latents` (1, channels, H, W), `position` (n, D), `k.{layer}` and `v.{layer}` (s, D),
 * `modulation.*` as above → `noise` (1, channels, H, W), the predicted ε
 * @param identity layers in which each token attends to itself alone (arXiv 2403.17377, equation 13)
 */
export function denoisingGraph(
  weights: Weights,
  config: TransformerConfig,
  plan: Plan,
  identity: readonly number[] = [],
): GraphBuilder {
  const graph = new GraphBuilder(weights, plan);
  const { channels, patchSize } = config;
  const width = config.heads * config.headDim;

  const latents = graph.input('latents', [1, channels, 'H', 'W']);
  const position = graph.input('position', ['n', width]);
  const patches = graph.op(
    'Conv',
    [
      latents,
      graph.weight('pos_embed.proj.weight', [width, channels, patchSize, patchSize]),
      graph.weight('pos_embed.proj.bias', [width]),
    ],
    { kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] },
  ); // (1, D, h, w)
  const grid = graph.op('Shape', [patches]);
  const flat = graph.op('Reshape', [patches, graph.ints([width, -1])]); // (D, n)
  let x = graph.op('Add', [graph.op('Transpose', [flat], { perm: [1, 0] }), position]); // (n, D)
  for (let layer = 0; layer < config.layers; layer++) {
    x = block(graph, config, { x, grid, layer, isIdentity: identity.includes(layer) });
  }

  const [shift, scale] = graph.split(graph.input('modulation.out', [2 * width]), 2, 0);
  x = layerNorm(graph, x, { scale: scale!, shift: shift!, epsilon: config.normEpsilon });
  graph.output('noise', unpatchify(graph, config, { x, grid }), [1, channels, 'H', 'W']);
  return graph;
}

/** x (n, D) → (n, D) */
function block(
  graph: GraphBuilder,
  config: TransformerConfig,
  { x, grid, layer, isIdentity }: { x: Value; grid: Value; layer: number; isIdentity: boolean },
): Value {
  const name = `transformer_blocks.${layer}`;
  const width = config.heads * config.headDim;
  const square = { from: width, to: width };
  const shape = {
    heads: config.heads,
    headDim: config.headDim,
    scale: 1 / Math.sqrt(config.headDim),
  };
  const [shift1, scale1, gate1, shift2, scale2, gate2] = graph.split(
    graph.input(`modulation.${layer}`, [6 * width]),
    6,
    0,
  ) as [Value, Value, Value, Value, Value, Value];
  const epsilon = config.normEpsilon;

  const normed = layerNorm(graph, x, { scale: scale1, shift: shift1, epsilon });
  const project = (to: 'to_q' | 'to_k' | 'to_v') =>
    linear(graph, normed, `${name}.attn1.${to}`, square); // (n, D)
  // Self-attention, over compressed keys and values where the layer has them; queries are all there.
  const compress = (tokens: Value) =>
    config.compression?.layers.includes(layer)
      ? compressTokens(graph, config.compression, { tokens, grid, width, name: `${name}.attn1` })
      : tokens; // (n / R², D), or (n, D)
  // As the identity, it gives each token its own value: the one before compression.
  const self = isIdentity
    ? project('to_v')
    : attention(
        graph,
        { q: project('to_q'), k: compress(project('to_k')), v: compress(project('to_v')) },
        shape,
      );
  const attended = linear(graph, self, `${name}.attn1.to_out.0`, square);
  const x1 = graph.op('Add', [x, graph.op('Mul', [attended, gate1])]);

  // Cross-attention: no norm, no modulation and no gate.
  const cross = attention(
    graph,
    {
      q: linear(graph, x1, `${name}.attn2.to_q`, square), // (n, D)
      k: graph.input(`k.${layer}`, ['s', width]),
      v: graph.input(`v.${layer}`, ['s', width]),
    },
    shape,
  );
  const x2 = graph.op('Add', [x1, linear(graph, cross, `${name}.attn2.to_out.0`, square)]);

  const hidden = gelu(
    graph,
    linear(
      graph,
      layerNorm(graph, x2, { scale: scale2, shift: shift2, epsilon }),
      `${name}.ff.net.0.proj`,
      { from: width, to: 4 * width },
    ),
  ); // (n, 4·D)
  const mlp = linear(graph, hidden, `${name}.ff.net.2`, { from: 4 * width, to: width });
  return graph.op('Add', [x2, graph.op('Mul', [mlp, gate2])]);
}

/** x (n, D) → (1, channels, H, W). Rows of `proj_out` for the learned variance are left out. */
function unpatchify(
  graph: GraphBuilder,
  config: TransformerConfig,
  { x, grid }: { x: Value; grid: Value },
): Value {
  const { channels, outChannels, patchSize } = config;
  const width = config.heads * config.headDim;
  const places = patchSize * patchSize;
  // Row (p · patch + q) · outChannels + c is channel c at (p, q) of the patch.
  const rows = Array.from({ length: places }, (_, i) => ({
    start: i * outChannels,
    count: channels,
  }));
  const pixels = linear(graph, x, 'proj_out', { from: width, to: places * outChannels, rows }); // (n, p²·C)
  const channelsFirst = graph.op('Transpose', [pixels], { perm: [1, 0] });
  const sides = graph.op('Slice', [grid, graph.ints([2]), graph.ints([4])]);
  const shape = graph.op('Concat', [graph.ints([1, places * channels]), sides], { axis: 0 });
  const image = graph.op('Reshape', [channelsFirst, shape]); // (1, p²·C, h, w)
  return graph.op('DepthToSpace', [image], { blocksize: patchSize, mode: 'DCR' });
}
