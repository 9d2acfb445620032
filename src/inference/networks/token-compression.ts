import { DomainError } from '../../errors.ts';
import type { Compression } from '../checkpoints/transformer.ts';
import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { layerNorm } from './layers.ts';

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
      // Despite its name it does not average: every R-th row and column, ⌊h/R⌋ by ⌊w/R⌋.
      const factor = graph.ints([R]);
      const sides = graph.op('Slice', [grid, graph.ints([2]), graph.ints([4])]); // (h, w)
      const ends = graph.op('Mul', [graph.op('Div', [sides, factor]), factor]);
      return toTokens(everyNth(graph, image, { ends, step: R }));
    }
    case 'uniform':
      return toTokens(everyNth(graph, image, { ends: graph.ints([maxEnd, maxEnd]), step: R }));
  }
}

/** Rows and columns 0, step, 2·step … before `ends`. x (1, D, h, w) */
function everyNth(
  graph: GraphBuilder,
  x: Value,
  { ends, step }: { ends: Value; step: number },
): Value {
  const axes = graph.ints([2, 3]);
  return graph.op('Slice', [x, graph.ints([0, 0]), ends, axes, graph.ints([step, step])]);
}

/** Tokens down and across. */
export type Grid = { readonly height: number; readonly width: number };

/** A size whose tokens the model's key/value compression cannot take. */
function gridIndivisible(
  { sampling, scaleFactor }: Compression,
  { height, width }: Grid,
): DomainError {
  return new DomainError(
    'BAD_USER_INPUT',
    `Expected a size whose tokens the model's key/value compression (${sampling} by ${scaleFactor}) divides, but got ${width} x ${height} tokens`,
    { path: ['width'], got: `${width} x ${height}` },
  );
}

/** @throws DomainError (BAD_USER_INPUT) */
export function checkGrid(compression: Compression | null, grid: Grid): void {
  if (compression !== null && !dividesGrid(compression, grid)) {
    throw gridIndivisible(compression, grid);
  }
}

/**
 * Whether a grid of tokens can be compressed: the original code fails where `uniform` or
 * `uniform_every` does not divide it; `conv` and `ave` leave a rest at the edge out.
 */
export function dividesGrid(compression: Compression | null, { height, width }: Grid): boolean {
  if (compression === null) return true;
  const { sampling, scaleFactor: R } = compression;
  switch (sampling) {
    case 'uniform':
      return height % R === 0 && width % R === 0;
    case 'uniform_every':
      return (height * width) % R === 0;
    case 'conv':
    case 'ave':
      return height >= R && width >= R;
  }
}
