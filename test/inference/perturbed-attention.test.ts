import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTransformer } from '../../src/inference/checkpoints/transformer.ts';
import { type Engine, startEngine } from '../../src/inference/engine/engine.ts';
import { perturbedLayers } from '../../src/inference/networks/transformer.graph.ts';
import {
  type Conditioning,
  loadTransformer,
  type Transformer,
} from '../../src/inference/networks/transformer.ts';
import { createDenoiser, type DenoiseRequest } from '../../src/inference/pipelines/denoiser.ts';
import { createTurns } from '../../src/inference/pipelines/turns.ts';
import type { ImageRequest } from '../../src/inference/request.ts';
import { seededNoise } from '../../src/inference/sampling/latents.ts';
import { cleanEstimate } from '../../src/inference/sampling/points.ts';
import { draw } from '../support/draw.ts';
import {
  absoluteSum,
  cpu,
  cpuWith,
  fill,
  relativeError,
  sum,
  transformerRule,
  wave,
  writeNetwork,
} from '../support/golden.ts';
import { transformerShapes } from '../support/network-shapes.ts';
import { writeRandomModel } from '../support/random-model.ts';
import { config, diffusersShapes, width } from '../support/transformer-golden.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-perturbed-'));
afterAll(() => rmSync(folder, { recursive: true }));

// By the pattern `blocks.1`, which diffusers' PixArtSigmaPAGPipeline searches names like
// `transformer_blocks.12.attn1` for, where they do not end in the number itself.
it.each([
  [28, [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]],
  [12, [1, 10, 11]],
  [10, [1]],
  [2, [1]],
  [1, [0]],
])('of %i layers, %j are perturbed', (layers, expected) => {
  expect(perturbedLayers(layers)).toEqual(expected);
});

/**
 * The network of the golden vectors with the identity in block 1, computed in double precision by a program
 * written from the formulas, whose unperturbed results are those of diffusers to 3e-6.
 */
describe.each(['fused', 'composed'] as const)('with %s attention', (form) => {
  it('each token of a perturbed layer attends to itself alone', async () => {
    const path = writeNetwork(join(folder, form), config, fill(diffusersShapes, transformerRule));
    const transformer = await loadTransformer(await openTransformer(path), cpuWith(form));
    const [height, width, size] = [12, 20, 4 * 12 * 20];
    const [latents, captions] = [wave(2 * size), wave(2 * 5 * 16, 0.9)];
    const predict = async (sample: number, timestep: number, tokens: number) => {
      const data = captions.slice(sample * 80, sample * 80 + tokens * 16);
      const conditioning = await transformer.condition({ data, tokens });
      const own = latents.slice(sample * size, (sample + 1) * size);
      const input = { latents: own, height, width, timestep, conditioning };
      return (await transformer.predict([{ ...input, isPerturbed: true }]))[0]!;
    };
    const noise = [await predict(0, 999, 3), await predict(1, 450, 1)] as const;
    await transformer.release();
    const at = (b: 0 | 1, c: number, y: number, x: number) =>
      noise[b][(c * height + y) * width + x]!;
    const values = [at(0, 0, 0, 0), at(0, 0, 0, 1), at(0, 0, 1, 0), at(0, 1, 3, 5)];
    values.push(at(1, 0, 0, 0), at(1, 3, 7, 2));
    const expected = [1.1627884, -0.9777922, -0.5924509, 0.4465699, 1.221157, -1.1617442];
    values.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThan(6e-6);
    });
    const all = noise.flatMap((sample) => [...sample]);
    expect(Math.abs(sum(all) - -81.620686)).toBeLessThan(2e-6 * 2605.1);
    expect(Math.abs(absoluteSum(all) - 2605.105504)).toBeLessThan(2e-6 * 2605.1);
  });
});

it('a perturbed layer gives each token its value before compression', async () => {
  const kvCompress = { scaleFactor: 2, layers: [1] };
  const shapes = transformerShapes({ width, layers: 2, caption: 16, kvCompress });
  const kv = { sampling: 'conv', scale_factor: 2, kv_compress_layer: [1] };
  const predict = async (name: string, kv_compress_config: object | null) => {
    const own = kv_compress_config === null ? diffusersShapes : shapes;
    const tensors = fill(own, transformerRule);
    const path = writeNetwork(join(folder, name), { ...config, kv_compress_config }, tensors);
    const transformer = await loadTransformer(await openTransformer(path), cpu);
    const conditioning = await transformer.condition({ data: wave(48), tokens: 3 });
    const input = { latents: wave(4 * 8 * 8), height: 8, width: 8, timestep: 500, conditioning };
    const [plain, perturbed] = await transformer.predict([input, { ...input, isPerturbed: true }]);
    await transformer.release();
    return { plain: plain!, perturbed: perturbed! };
  };
  const [compressed, whole] = [await predict('kv', kv), await predict('plain', null)];
  expect(relativeError(compressed.plain, whole.plain)).toBeGreaterThan(1e-4);
  expect(relativeError(compressed.perturbed, whole.perturbed)).toBeLessThan(1e-6);
});

describe('perturbed-attention guidance', () => {
  let transformer: Transformer;
  let conditioning: Conditioning;
  let unconditional: Conditioning;
  let engine: Engine;
  beforeAll(async () => {
    const model = writeRandomModel(join(folder, 'models', 'random'));
    transformer = await loadTransformer(await openTransformer(join(model, 'transformer')), cpu);
    const caption = (seed: number, tokens: number) =>
      transformer.condition({ data: seededNoise(seed, tokens * 32), tokens });
    [conditioning, unconditional] = [await caption(1, 5), await caption(2, 1)];
    const modelFolders = [join(folder, 'models')];
    engine = await startEngine({ modelFolders, provider: 'cpu', threads: 1 });
  });
  afterAll(async () => {
    await transformer.release();
    await engine.close();
  });

  const at = { timestep: 500, alpha: 0.28, sigma: 0.96 };
  const latents = seededNoise(3, 4 * 8 * 8);
  const denoise = (guidance: DenoiseRequest['guidance'], perturbedScale: number) =>
    createDenoiser(createTurns()).denoise({
      job: { share: 'a', order: 1, isCanceled: () => false },
      ...{ transformer, latents, latentHeight: 8, latentWidth: 8, at, conditioning },
      ...{ guidance, perturbedScale },
    });

  it('leads away from the perturbed prediction, with and without guidance', async () => {
    const input = { latents, height: 8, width: 8, timestep: at.timestep };
    const [cond, uncond, perturbed] = (await transformer.predict([
      { ...input, conditioning },
      { ...input, conditioning: unconditional },
      { ...input, conditioning, isPerturbed: true },
    ])) as [Float32Array, Float32Array, Float32Array];
    expect(relativeError(perturbed, cond)).toBeGreaterThan(0.01);
    const both = cond.map((c, i) => uncond[i]! + 4.5 * (c - uncond[i]!) + 3 * (c - perturbed[i]!));
    const guided = await denoise({ scale: 4.5, unconditional }, 3);
    expect(relativeError(guided, cleanEstimate(latents, both, at))).toBeLessThan(1e-6);
    const alone = cond.map((c, i) => c + 3 * (c - perturbed[i]!));
    const unguided = await denoise(null, 3);
    expect(relativeError(unguided, cleanEstimate(latents, alone, at))).toBeLessThan(1e-6);
  });

  it('at scale 0 takes no further prediction', async () => {
    const asked: number[] = [];
    const counting: DenoiseRequest['transformer'] = {
      predict(inputs) {
        asked.push(inputs.length);
        return transformer.predict(inputs);
      },
    };
    for (const perturbedScale of [0, 3]) {
      await createDenoiser(createTurns()).denoise({
        job: { share: 'a', order: 1, isCanceled: () => false },
        ...{ transformer: counting, latents, latentHeight: 8, latentWidth: 8, at, conditioning },
        ...{ guidance: { scale: 4.5, unconditional }, perturbedScale },
      });
    }
    expect(asked).toEqual([2, 3]);
  });

  it('changes an image, at 0 leaves it as it was, and acts between the fractions', async () => {
    const pixels = async (changes: Partial<ImageRequest>) => (await draw(engine, changes)).rgb;
    const plain = await pixels({});
    const isPlain = async (changes: Partial<ImageRequest>) =>
      Buffer.compare(await pixels(changes), plain) === 0;
    expect(await isPlain({ perturbedAttentionScale: 3 })).toBe(false);
    expect(await isPlain({ perturbedAttentionScale: 0 })).toBe(true);
    const unguided = await pixels({ guidanceScale: 1 });
    const never = { guidanceStart: 0.5, guidanceEnd: 0.5, perturbedAttentionScale: 3 };
    expect(Buffer.compare(await pixels(never), unguided)).toBe(0);
    const alone = await pixels({ guidanceScale: 1, perturbedAttentionScale: 3 });
    expect(Buffer.compare(alone, unguided)).not.toBe(0);
  });
});
