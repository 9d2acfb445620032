import { describe, expect, test } from 'vitest';
import {
  initialLatents,
  philox,
  seededNoise,
  stepNoise,
} from '../../src/inference/sampling/latents.ts';
import { addNoise, evenPoints } from '../../src/inference/sampling/points.ts';
import { createSchedule, parseConfig } from '../../src/inference/sampling/schedule.ts';

describe('seeded noise', () => {
  // The known answers that Random123 publishes for philox4x32-10 (kat_vectors).
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      Array(4).fill(0xffffffff),
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])(
    'draws the published words of Philox (%#)',
    (counter: number[], key: number[], words: number[]) => {
      const word = Uint32Array.from(counter);
      philox(word, key[0]!, key[1]!);
      expect([...word]).toEqual(words);
    },
  );

  // Computed in Python from the papers (integers without bound, double, rounded to single once).
  test.each([
    [
      0,
      0,
      [
        0.991137683391571, -0.9246625900268555, -0.6176089644432068, -0.48206859827041626,
        -0.15363822877407074, 0.18082590401172638,
      ],
    ],
    [
      42,
      0,
      [
        -0.9701898097991943, 0.19401895999908447, -1.2356207370758057, 1.9239267110824585,
        -0.07318150997161865, 0.13913749158382416,
      ],
    ],
    [
      Number.MAX_SAFE_INTEGER,
      0,
      [
        -1.378544807434082, -0.6003620624542236, -0.3515344560146332, -0.5042804479598999,
        -0.9519484639167786, 1.4862090349197388,
      ],
    ],
    [
      42,
      3,
      [
        -2.3877787590026855, 0.8490601778030396, -0.6570045351982117, -0.4657707214355469,
        0.8527862429618835, 0.7566486597061157,
      ],
    ],
  ])('means the same numbers on every machine: seed %d, stream %d', (seed, stream, want) => {
    expect([...seededNoise(seed, 6, stream)]).toEqual(want);
  });

  test('begins a longer request with the same numbers', () => {
    expect(seededNoise(7, 1001).subarray(0, 6)).toEqual(seededNoise(7, 6));
  });

  test('is standard normal, and independent between streams', () => {
    const count = 100_000;
    const [a, b] = [seededNoise(1, count), stepNoise(1, 1, count)];
    const mean = a.reduce((sum, x) => sum + x, 0) / count;
    const variance = a.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
    const covariance = a.reduce((sum, x, i) => sum + x * b[i]!, 0) / count;
    expect(Math.abs(mean)).toBeLessThan(0.015);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
    expect(Math.abs(covariance)).toBeLessThan(0.015);
    expect(a.every(Number.isFinite)).toBe(true);
  });

  test('fills the latents of a picture: 4 channels, an eighth of each side', () => {
    const latents = initialLatents(5, { width: 128, height: 64 });
    expect(latents).toHaveLength(4 * 8 * 16);
    expect(latents).toEqual(seededNoise(5, 512));
  });
});

test('adds noise as the forward process does', () => {
  const schedule = createSchedule(parseConfig('{}'));
  const noisy = addNoise(
    Float32Array.of(1, -2),
    Float32Array.of(0.5, 1),
    evenPoints(schedule, 999)[599]!,
  ); // timestep 400
  const [alpha, sigma] = [Math.sqrt(0.19357197), Math.sqrt(1 - 0.19357197)];
  expect(noisy[0]).toBeCloseTo(alpha + 0.5 * sigma, 6);
  expect(noisy[1]).toBeCloseTo(-2 * alpha + sigma, 6);
});
