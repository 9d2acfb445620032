import { describe, expect, it } from 'vitest';
import { denoiseSteps } from '../../src/inference/pipelines/denoising.ts';
import type { ImageRequest } from '../../src/inference/request.ts';
import { latentMask, seededNoise } from '../../src/inference/sampling/latents.ts';
import { addNoise, evenPoints, type Point } from '../../src/inference/sampling/points.ts';
import { createSchedule } from '../../src/inference/sampling/schedule.ts';
import { dpmSolverMultistep } from '../../src/inference/sampling/scheduler-classes.ts';
import { dpmpp2m, euler, heun, unipc } from '../../src/inference/sampling/solvers.ts';
import { draw } from '../support/draw.ts';
import { randomEngine } from '../support/random-engine.ts';

const engine = randomEngine();

const side = 64;
/** Every byte differs from those around it: one that is not returned exactly shows. */
const rgb = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * 83 + (i >> 5)) % 256);
/** By column and row. */
const maskOf = (value: (x: number, y: number) => number) =>
  Uint8Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side)));
const rightHalf = maskOf((x) => (x < side / 2 ? 0 : 255));
const white = maskOf(() => 255);

async function pixelsOf(mask: Uint8Array, strength = 0.5, changes: Partial<ImageRequest> = {}) {
  return (await draw(engine(), { ...changes, source: { rgb, strength, mask } })).rgb;
}

describe('inpainting', () => {
  it('returns the pixels that are not masked exactly, and repaints the others', async () => {
    for (const strength of [0.5, 1]) {
      const drawn = await pixelsOf(rightHalf, strength);
      const changed = { left: 0, right: 0 };
      for (const [i, value] of drawn.entries()) {
        const part = rightHalf[Math.floor(i / 3)] === 0 ? 'left' : 'right';
        if (value !== rgb[i]) changed[part]++;
      }
      expect(changed.left).toBe(0);
      expect(changed.right).toBeGreaterThan(0.9 * 1.5 * side * side);
    }
  });

  it('mixes the repainted image with its source where the mask is grey', async () => {
    const hard = await pixelsOf(white);
    const soft = await pixelsOf(maskOf((x) => 4 * x + 3)); // No pixel is 0: all latents are open.
    for (const [i, value] of soft.entries()) {
      const open = (4 * (Math.floor(i / 3) % side) + 3) / 255;
      expect(Math.abs(value - (open * hard[i]! + (1 - open) * rgb[i]!))).toBeLessThanOrEqual(
        0.5001,
      );
    }
  });

  it('with a white mask is image to image, and at strength 1 text to image', async () => {
    const whole = await draw(engine(), { source: { rgb, strength: 0.5 } });
    expect(Buffer.compare(await pixelsOf(white, 0.5), whole.rgb)).toBe(0);
    const text = await draw(engine(), { source: null });
    expect(Buffer.compare(await pixelsOf(white, 1), text.rgb)).toBe(0);
    expect(text.rgb.filter((value, i) => value === rgb[i]).length).toBeLessThan(0.05 * rgb.length);
    const unmasked = await draw(engine(), { source: { rgb, strength: 0.5, mask: null } });
    expect(Buffer.compare(unmasked.rgb, whole.rgb)).toBe(0);
  });

  it('is the same from the same seed, and another from another', async () => {
    const first = await pixelsOf(rightHalf);
    expect(Buffer.compare(await pixelsOf(rightHalf), first)).toBe(0);
    expect(Buffer.compare(await pixelsOf(rightHalf, 0.5, { seed: 8 }), first)).not.toBe(0);
  });

  it.each([
    ['of another size', new Uint8Array(100).fill(255), /4096 bytes \(64 x 64.* but got 100$/],
    ['that is black', maskOf(() => 0), /above 0.* but got a mask that is black all over$/],
  ])('is refused with a mask %s, by path', async (_, mask, message) => {
    await expect(pixelsOf(mask)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringMatching(message),
      details: expect.objectContaining({ path: ['source', 'mask'] }),
    });
  });
});

it('a latent is open where any of its pixels is', () => {
  const mask = new Uint8Array(32 * 16);
  mask[7 * 32 + 8] = 1; // x 8, y 7
  mask[15 * 32 + 31] = 255; // x 31, y 15
  const isOpen = latentMask(mask, { width: 32, height: 16 });
  expect(isOpen).toEqual([...[false, true, false, false], ...[false, false, false, true]]);
});

/**
 * diffusers' way, in single precision: after each step, latents outside the mask are
 * (1 − m)·add_noise(source, noise, next step) + m·latents, the source itself after the last one.
 */
describe.each(Object.entries({ dpmpp2m, euler, heun, unipc }))('along %s', (_, sample) => {
  it('latents outside the mask are those of the source, at the noise of each step', async () => {
    const schedule = createSchedule({ options: {} }, dpmSolverMultistep);
    const points = evenPoints(schedule, 8).slice(3);
    const count = 4 * 4 * 4;
    const [source, noise] = [seededNoise(1, count), seededNoise(2, count)];
    const isOpen = (i: number) => i % 16 < 5;
    const seen: { latents: Float32Array; at: Point }[] = [];
    const steps = denoiseSteps({
      job: { share: '', order: 0, isCanceled: () => false },
      request: {
        ...{ seed: 1, width: 32, height: 32, steps: 8 },
        ...{ guidanceScale: 1, guidanceStart: 0, guidanceEnd: 1 },
      },
      denoiser: {
        async denoise({ latents, at }) {
          seen.push({ latents, at });
          return latents.map((x, i) => Math.sin(3 * x + latents[(i + 1) % count]!));
        },
      },
      transformer: { predict: () => Promise.reject(new Error('not asked')) },
      ...{ schedule, sample, points, conditioning: { tokens: 0, feeds: {}, bytes: 0 } },
      ...{ unconditional: null, perturbedScale: 0 },
      latents: addNoise(source, noise, points[0]!),
      constrain: (denoised) => denoised.map((x, i) => (isOpen(i) ? x : source[i]!)),
    });
    for await (const { step, latents } of steps) seen.push({ latents, at: points[step - 3]! });
    expect(seen.length).toBeGreaterThanOrEqual(10);
    for (const { latents, at } of seen) {
      const expected = addNoise(source, noise, at);
      for (const [i, value] of latents.entries()) {
        if (!isOpen(i)) expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-6);
      }
    }
  });
});
