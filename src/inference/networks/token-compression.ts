import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { layerNorm } from './layers.ts';

/** Key/value token compression: self-attention sees a grid that is `scaleFactor` coarser per axis. */
export type Compression = {
  readonly sampling: 'conv' | 'ave' | 'uniform' | 'uniform_every';
  readonly scaleFactor: number;
  readonly layers: readonly number[];
};

/** PyTorch's default. */
const normEpsilon = 1e-5;
/** Slice clamps what lies beyond the end. */
const maxEnd = 2 ** 31 - 1;

/**
 * Keys or values on a coarser grid (arXiv 2403.04692, §2.3; `AttentionKVCompress` in PixArt-sigma's
 * `PixArt_blocks.py`). One convolution and one norm serve both. `grid` is the shape of the tokens
 * as an image, (1, D, h, w). tokens (n, D) → (n / R², D); `uniform_every`: (n / R, D)
 */
export function compressTokens(
  graph: GraphBuilder,
  { sampling, scaleFactor: R }: Compression,
  { tokens, grid, width, name }: { tokens: Value; grid: Value; width: number; name: string },
): Value {
  if (R === 1) return tokens;
  if (sampling === 'uniform_every') {
    return graph.op('Slice', [tokens, ...[[0], [maxEnd], [0], [R]].map((v) => graph.ints(v))]);
  }
  const channelsFirst = graph.op('Transpose', [tokens], { perm: [1, 0] });
  const image = graph.op('Reshape', [channelsFirst, grid]); // (1, D, h, w)
  const toTokens = (coarse: Value) =>
    graph.op('Transpose', [graph.op('Reshape', [coarse, graph.ints([width, -1])])], {
      perm: [1, 0],
    });
  switch (sampling) {
    case 'conv': {
      const coarse = graph.op(
        'Conv',
        [
          image,
          graph.weight(`${name}.sr.weight`, [width, 1, R, R]),
          graph.weight(`${name}.sr.bias`, [width]),
        ],
        { kernel_shape: [R, R], strides: [R, R], group: width },
      ); // (1, D, ⌊h/R⌋, ⌊w/R⌋)
      return layerNorm(graph, toTokens(coarse), {
        scale: graph.weight(`${name}.norm.weight`, [width]),
        shift: graph.weight(`${name}.norm.bias`, [width]),
        epsilon: normEpsilon,
      });
    }
    case 'ave': {
      // Despite its name it does not average: nearest neighbours, ⌊h/R⌋ by ⌊w/R⌋.
      const scales = graph.floats([1, 1, 1 / R, 1 / R]);
      return toTokens(
        graph.op('Resize', [image, null, scales], {
          mode: 'nearest',
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        }),
      );
    }
    case 'uniform': {
      const [starts, ends, axes, steps] = [
        [0, 0],
        [maxEnd, maxEnd],
        [2, 3],
        [R, R],
      ];
      return toTokens(
        graph.op('Slice', [image, ...[starts, ends, axes, steps].map((v) => graph.ints(v!))]),
      );
    }
  }
}
