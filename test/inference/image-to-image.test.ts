import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { stepsTaken } from '../../src/inference/pipelines/image-to-image.ts';
import { createSourceEncodings } from '../../src/inference/pipelines/source-encodings.ts';
import type { ImageRequest } from '../../src/inference/request.ts';
import { draw, never, request } from '../support/draw.ts';
import { randomEngine } from '../support/random-engine.ts';

const embedded = fileURLToPath(new URL('../../models', import.meta.url));
const engine = randomEngine([embedded]);

/** A gradient with a disc: something that a VAE gives back nearly as it was. */
function drawing(side: number): Uint8Array {
  const rgb = new Uint8Array(side * side * 3);
  for (let i = 0; i < side * side; i++) {
    const [x, y] = [i % side, Math.floor(i / side)];
    const isDisc = Math.hypot(x - side / 2, y - side / 2) < side / 4;
    rgb.set(isDisc ? [220, 60, 40] : [60 + (100 * x) / side, 120, 100 + (100 * y) / side], 3 * i);
  }
  return rgb;
}

/** Peak signal to noise, in decibels. */
function psnr(a: Uint8Array, b: Uint8Array): number {
  const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
  return 10 * Math.log10(255 ** 2 / error);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function stepsOf(changes: Partial<ImageRequest>): Promise<number[]> {
  const steps: number[] = [];
  for await (const event of engine().generate({ ...request, ...changes }, { signal: never() })) {
    if (event.type === 'step') steps.push(event.step);
  }
  return steps;
}

const rgb = drawing(64);

describe('an image from another', () => {
  it('takes the last steps of the path, as many as the strength implies', async () => {
    expect(await stepsOf({ steps: 10, source: { rgb, strength: 0.3 } })).toEqual([8, 9, 10]);
    expect(await stepsOf({ steps: 4, source: { rgb, strength: 1 } })).toEqual([1, 2, 3, 4]);
  });

  it('depends on its source and its strength, and is the same from the same', async () => {
    const digest = async (changes: Partial<ImageRequest>) =>
      sha256((await draw(engine(), { steps: 8, ...changes })).rgb);
    const source = { rgb, strength: 0.5 };
    const first = await digest({ source });
    expect(await digest({ source })).toBe(first);
    expect(await digest({ source: { rgb, strength: 0.75 } })).not.toBe(first);
    expect(await digest({ source: { rgb: rgb.map((x) => 255 - x), strength: 0.5 } })).not.toBe(
      first,
    );
    expect(await digest({ source, seed: 8 })).not.toBe(first);
    expect(await digest({})).not.toBe(first);
    expect(await digest({ source: null })).toBe(await digest({}));
  });

  it('keeps more of its source at lower strength', { timeout: 120_000 }, async () => {
    const source = drawing(256);
    const likeness = async (strength: number) => {
      const image = await draw(engine(), {
        ...{ model: 'easel-mini', width: 256, height: 256, prompt: 'a red balloon by day' },
        ...{ steps: 20, guidanceScale: 3, source: { rgb: source, strength } },
      });
      return psnr(image.rgb, source);
    };
    const [weak, medium, strong] = [await likeness(0.05), await likeness(0.4), await likeness(1)];
    expect(weak).toBeGreaterThan(20);
    expect(weak).toBeGreaterThan(medium!);
    expect(medium).toBeGreaterThan(strong!);
  });

  it.each([
    ['strength 0', { rgb, strength: 0 }, ['source', 'strength']],
    ['a strength above 1', { rgb, strength: 1.1 }, ['source', 'strength']],
    ['a strength that is not a number', { rgb, strength: Number.NaN }, ['source', 'strength']],
    ['a strength that leaves no step', { rgb, strength: 0.2 }, ['source', 'strength']],
    ['pixels of another size', { rgb: drawing(32), strength: 0.5 }, ['source']],
  ])('is refused with %s, by path', async (_, source, path) => {
    await expect(draw(engine(), { steps: 4, source })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      details: expect.objectContaining({ path }),
    });
  });
});

// min(int(steps · strength), steps), computed in Python.
it.each([
  [20, 0.8, 16],
  [20, 1, 20],
  [10, 0.3, 3],
  [100, 0.29, 28],
  [3, 0.5, 1],
  [7, 0.99, 6],
])('of %i steps, strength %d takes %i', (steps, strength, taken) => {
  expect(stepsTaken(steps, strength)).toBe(taken);
});

it('a source is encoded once for several images', async () => {
  const sources = createSourceEncodings();
  let encoded = 0;
  const encode = async () => {
    encoded++;
    return { mean: new Float32Array(4), logvar: new Float32Array(4) };
  };
  await sources.of('vae', rgb, encode);
  await sources.of('vae', Uint8Array.from(rgb), encode);
  expect(encoded).toBe(1);
  await sources.of('another', rgb, encode);
  await sources.of('vae', drawing(32), encode);
  expect(encoded).toBe(3);
});
