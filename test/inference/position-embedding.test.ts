import { describe, expect, it } from 'vitest';
import {
  positionEmbedding,
  timestepEmbedding,
} from '../../src/inference/networks/position-embedding.ts';
import { sum } from '../support/golden.ts';

const channels = 1152;

describe('the position embedding', () => {
  /** Row 1, column 3 at these channels; sums over the whole table. Computed by diffusers 58eb52c0. */
  const picked = [0, 1, 287, 288, 289, 575, 576, 577, 863, 864, 1151];

  it.each([
    {
      name: '256 pixels',
      grid: { height: 16, width: 16, baseSize: 16, interpolationScale: 0.5 },
      values: [
        -0.279415, -0.454697, 0.000619, 0.96017, 0.890646, 1, 0.909297, 0.933675, 0.000206,
        -0.416147, 1,
      ],
      total: 124160.245,
    },
    {
      name: '512 pixels',
      grid: { height: 32, width: 32, baseSize: 32, interpolationScale: 1 },
      values: [
        0.14112, 0.233831, 0.00031, -0.989992, -0.972277, 1, 0.841471, 0.824051, 0.000103, 0.540302,
        1,
      ],
      total: 494676.299,
    },
    {
      name: '1024 pixels',
      grid: { height: 64, width: 64, baseSize: 64, interpolationScale: 2 },
      values: [
        0.997495, 0.993045, 0.000155, 0.070737, 0.117734, 1, 0.479426, 0.465556, 0.000052, 0.877583,
        1,
      ],
      total: 1974250.122,
    },
    {
      name: '2048 pixels',
      grid: { height: 128, width: 128, baseSize: 128, interpolationScale: 4 },
      values: [
        0.681639, 0.664178, 0.000077, 0.731689, 0.747574, 1, 0.247404, 0.239772, 0.000026, 0.968912,
        1,
      ],
      total: 7887582.716,
    },
    {
      name: '704 by 1408 pixels of the 1024 model',
      grid: { height: 44, width: 88, baseSize: 64, interpolationScale: 2 },
      values: [
        0.887047, 0.870675, 0.000113, 0.461679, 0.491858, 1, 0.664835, 0.647563, 0.000075, 0.74699,
        1,
      ],
      total: 1866658.331,
    },
  ])('equals the reference at $name', ({ grid, values, total }) => {
    const table = positionEmbedding(grid, channels);
    const token = 1 * grid.width + 3;
    const got = picked.map((channel) => table[token * channels + channel]!);
    got.forEach((value, i) => {
      expect(Math.abs(value - values[i]!)).toBeLessThan(1e-6);
    });
    // Printed to three decimals; up to 19 million singles add up to a billionth.
    expect(Math.abs(sum(table) - total)).toBeLessThan(5e-4 + 1e-9 * total);
  });

  it('spans the same coordinates however many tokens an axis has', () => {
    const wide = positionEmbedding(
      { height: 32, width: 64, baseSize: 32, interpolationScale: 1 },
      channels,
    );
    const square = positionEmbedding(
      { height: 32, width: 32, baseSize: 32, interpolationScale: 1 },
      channels,
    );
    // Column 10 of 64 lies where column 5 of 32 does.
    expect(wide.subarray(10 * channels, 11 * channels)).toEqual(
      square.subarray(5 * channels, 6 * channels),
    );
  });
});

describe('the timestep embedding', () => {
  it('equals the reference in single precision at 999', () => {
    const values = timestepEmbedding(999);
    const golden = {
      0: 0.99965,
      1: 0.963785,
      64: -0.84447,
      127: 0.994243,
      128: -0.026461,
      129: -0.266679,
      192: -0.535603,
      255: 0.107147,
    };
    for (const [channel, value] of Object.entries(golden)) {
      expect(Math.abs(values[Number(channel)]! - value)).toBeLessThan(1e-6);
    }
  });

  it('takes fractions of a timestep', () => {
    expect(timestepEmbedding(949.05)).not.toEqual(timestepEmbedding(949));
  });
});
