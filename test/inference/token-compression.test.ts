import { describe, expect, it } from 'vitest';
import type { Compression } from '../../src/inference/checkpoints/transformer.ts';
import { compressTokens, dividesGrid } from '../../src/inference/networks/token-compression.ts';
import { GraphBuilder } from '../../src/inference/onnx/graph.ts';
import { createSessions } from '../../src/inference/onnx/session.ts';
import { cpu } from '../support/golden.ts';

const compressionBy = (sampling: Compression['sampling'], scaleFactor: number): Compression => ({
  sampling,
  scaleFactor,
  layers: [0],
});

/** Which tokens of a grid are kept: each token's value is its own index. */
async function keptTokens(compression: Compression, height: number, width: number) {
  const graph = new GraphBuilder();
  const tokens = graph.input('tokens', ['n', 1]);
  const grid = graph.input('grid', [4], 'int64');
  const kept = compressTokens(graph, compression, { tokens, grid, width: 1, name: '' });
  graph.output('kept', kept, ['m', 1]);
  const [session] = await createSessions([graph], cpu);
  const count = height * width;
  const outputs = await session.run({
    tokens: {
      type: 'float32',
      dims: [count, 1],
      data: Float32Array.from({ length: count }, (_, i) => i),
    },
    grid: {
      type: 'int64',
      dims: [4],
      data: BigInt64Array.from([1, 1, height, width].map(BigInt)),
    },
  });
  await session.release();
  return [...(outputs['kept']!.data as Float32Array)];
}

describe("compression 'ave'", () => {
  it.each([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])(
    'keeps the first token of every whole square of side %i',
    async (R) => {
      for (const [height, width] of [
        [2 * R, 3 * R],
        [2 * R + 1, 4 * R - 1],
        [7 * R, 7 * R],
      ] as const) {
        const expected = [];
        for (let y = 0; y < Math.floor(height / R); y++) {
          for (let x = 0; x < Math.floor(width / R); x++) expected.push(y * R * width + x * R);
        }
        expect(await keptTokens(compressionBy('ave', R), height, width)).toEqual(expected);
      }
    },
  );

  it("equals 'uniform' where the grid divides", async () => {
    for (const R of [2, 3, 7]) {
      const ave = await keptTokens(compressionBy('ave', R), 3 * R, 5 * R);
      expect(ave).toEqual(await keptTokens(compressionBy('uniform', R), 3 * R, 5 * R));
    }
  });
});

describe('a grid', () => {
  it.each([
    ['uniform', 2, 16, 16, true],
    ['uniform', 2, 15, 16, false],
    ['uniform', 2, 16, 13, false],
    ['uniform_every', 2, 15, 16, true],
    ['uniform_every', 2, 15, 13, false],
    ['conv', 2, 15, 13, true],
    ['ave', 7, 15, 13, true],
    ['ave', 7, 6, 13, false],
    ['conv', 4, 3, 13, false],
  ] as const)('%s by %i: %i x %i is drawn: %s', (sampling, R, height, width, isDrawn) => {
    expect(dividesGrid(compressionBy(sampling, R), { height, width })).toBe(isDrawn);
  });
});
