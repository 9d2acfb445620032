import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTransformer } from '../../src/inference/checkpoints/transformer.ts';
import {
  checkTransformer,
  loadTransformer,
  type Transformer,
} from '../../src/inference/networks/transformer.ts';
import type { AttentionForm } from '../../src/inference/onnx/graph.ts';
import type { TensorToWrite } from '../../src/inference/onnx/safetensors.ts';
import {
  absoluteSum,
  cpu,
  cpuWith,
  fill,
  relativeError,
  roundTo,
  sum,
  temporaryFolder,
  transformerRule,
  wave,
  writeNetwork,
} from '../support/golden.ts';
import {
  cases,
  compress,
  config,
  diffusersShapes,
  originalShapes,
  type Side,
  width,
} from '../support/transformer-golden.ts';

/**
 * The learned variance is never computed. So that its golden values count too, a second file has the
 * rows of the output projection rolled by four channels: there the variance comes out as the noise.
 */
function rollChannels(tensors: Record<string, TensorToWrite>): Record<string, TensorToWrite> {
  const rolled = { ...tensors };
  for (const name of Object.keys(tensors)) {
    if (!/^(proj_out|final_layer\.linear)\./.test(name)) continue;
    const tensor = tensors[name]!;
    const row = tensor.data.length / 32;
    const data = new Float32Array(tensor.data.length);
    for (let i = 0; i < 32; i++) {
      const from = 8 * Math.floor(i / 8) + ((i + 4) % 8);
      data.set(tensor.data.subarray(from * row, (from + 1) * row), i * row);
    }
    rolled[name] = { ...tensor, data };
  }
  return rolled;
}

describe('the transformer', () => {
  const folder = temporaryFolder();
  afterAll(folder.remove);

  const folderOf = (name: string) => join(folder.path, name.replaceAll(/\W+/g, '-'));

  /** Two samples at timesteps 999 and 450, with captions of 3 and 1 real tokens. */
  async function predictBoth(path: string, [height, width]: Side, attention: AttentionForm) {
    const transformer = await loadTransformer(await openTransformer(path), cpuWith(attention));
    const size = 4 * height * width;
    const latents = wave(2 * size);
    const captions = wave(2 * 5 * 16, 0.9);
    const samples: Float32Array[] = [];
    for (const [sample, { timestep, tokens }] of [
      { timestep: 999, tokens: 3 },
      { timestep: 450, tokens: 1 },
    ].entries()) {
      const start = sample * 5 * 16;
      const data = captions.slice(start, start + tokens * 16);
      const conditioning = await transformer.condition({ data, tokens });
      const own = latents.slice(sample * size, (sample + 1) * size);
      const input = { latents: own, height, width, timestep, conditioning };
      samples.push(...(await transformer.predict([input])));
    }
    await transformer.release();
    return samples as [Float32Array, Float32Array];
  }

  describe.each(['fused', 'composed'] satisfies AttentionForm[])('with %s attention', (form) => {
    it.each(cases)('equals the reference: $name', async (golden) => {
      const side: Side = ('side' in golden && golden.side) || [12, 20];
      const tensors = fill(golden.shapes, transformerRule);
      const given = { ...config, ...golden.config };
      const path = writeNetwork(folderOf(golden.name), given, tensors);
      const other = writeNetwork(folderOf(`${golden.name} 2`), given, rollChannels(tensors));
      const noise = await predictBoth(path, side, form);
      const variance = await predictBoth(other, side, form);

      const [height, width] = side;
      const at = (b: 0 | 1, c: number, y: number, x: number) =>
        noise[b][(c * height + y) * width + x]!;
      const values = [at(0, 0, 0, 0), at(0, 0, 0, 1), at(0, 0, 1, 0), at(0, 1, 3, 5)];
      values.push(at(1, 0, 0, 0), at(1, 3, 7, 2), variance[1].at(-1)!);
      values.forEach((value, i) => {
        expect(Math.abs(value - golden.values[i]!)).toBeLessThan(5e-6);
      });
      const all = [...noise, ...variance].flatMap((sample) => [...sample]);
      const tolerance = 2e-6 * golden.sums[1]!;
      expect(Math.abs(sum(all) - golden.sums[0]!)).toBeLessThan(tolerance);
      expect(Math.abs(absoluteSum(all) - golden.sums[1]!)).toBeLessThan(tolerance);
    });
  });

  it.each(['F16', 'BF16'] as const)('computes in single precision on %s weights', async (dtype) => {
    const tensors = fill(originalShapes({ compressed: true }), transformerRule);
    const stored = Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, dtype }]);
    const narrow = writeNetwork(folderOf(dtype), config, Object.fromEntries(stored));
    const wide = writeNetwork(folderOf(`${dtype} rounded`), config, roundTo(dtype, tensors));
    const [a, b] = await predictBoth(narrow, [12, 20], 'fused');
    const [c, d] = await predictBoth(wide, [12, 20], 'fused');
    expect(relativeError(a, c)).toBeLessThan(1e-6);
    expect(relativeError(b, d)).toBeLessThan(1e-6);
  });

  describe('on one session', () => {
    let transformer: Transformer;
    beforeAll(async () => {
      const tensors = fill(diffusersShapes, transformerRule);
      const path = writeNetwork(folderOf('one'), config, tensors);
      transformer = await loadTransformer(await openTransformer(path), cpu);
    });
    afterAll(() => transformer.release());
    const caption = (tokens: number) => ({ data: wave(tokens * 16), tokens });

    it('predicts any size after any other, the same each time', async () => {
      const conditioning = await transformer.condition(caption(3));
      const predict = async (height: number, width: number, timestep: number) => {
        const latents = wave(4 * height * width);
        const [noise] = await transformer.predict([
          { latents, height, width, timestep, conditioning },
        ]);
        return noise;
      };
      const first = await predict(8, 8, 500);
      expect(await predict(12, 6, 123.25)).toHaveLength(4 * 12 * 6);
      expect(await predict(8, 8, 499.95)).not.toEqual(first);
      expect(await predict(8, 8, 500)).toEqual(first);
    });

    it('conditions on captions of any length', async () => {
      for (const tokens of [1, 2, 40]) {
        const conditioning = await transformer.condition(caption(tokens));
        expect(conditioning.tokens).toBe(tokens);
        expect(conditioning.bytes).toBe(2 * 2 * tokens * width * 4);
      }
    });

    it('refuses latents that patches do not cover', async () => {
      const conditioning = await transformer.condition(caption(1));
      const input = { latents: wave(4 * 7 * 8), height: 7, width: 8, timestep: 0, conditioning };
      await expect(transformer.predict([input])).rejects.toThrow(/sides that divide by 2/);
    });
  });

  describe('refuses', () => {
    const tensors = fill(diffusersShapes, transformerRule);
    const without = (name: string) =>
      Object.fromEntries(Object.entries(tensors).filter(([key]) => key !== name));

    it.each([
      {
        what: 'a width that is not configured',
        config: { ...config, attention_head_dim: 8 },
        tensors,
        message:
          /^Expected caption_projection\.linear_1\.weight as \[16, 16\], but got \[24, 16\]$/,
      },
      {
        what: 'more layers than there are',
        config: { ...config, num_layers: 3 },
        tensors,
        message: /^Expected the tensor transformer_blocks\.2\.attn2\.to_k\.weight in /,
      },
      {
        what: 'a missing tensor',
        config,
        tensors: without('transformer_blocks.1.ff.net.2.bias'),
        message: /^Expected the tensor transformer_blocks\.1\.ff\.net\.2\.bias in /,
      },
      {
        what: 'compression without its convolution',
        config: { ...config, ...compress('conv') },
        tensors,
        message: /^Expected the tensor transformer_blocks\.1\.attn1\.sr\.weight in /,
      },
      {
        what: 'another kind of conditioning',
        config: { ...config, norm_type: 'ada_norm' },
        tensors,
        message: /^Expected a usable configuration, but got norm_type: .* in .*config\.json$/,
      },
      {
        what: 'another activation',
        config: { ...config, activation_fn: 'silu' },
        tensors,
        message: /^Expected a usable configuration, but got activation_fn: .* in .*config\.json$/,
      },
      {
        what: 'attention without bias',
        config: { ...config, attention_bias: false },
        tensors,
        message: /^Expected a usable configuration, but got attention_bias: .* in .*config\.json$/,
      },
    ])('$what', async ({ what, config, tensors, message }) => {
      const path = writeNetwork(folderOf(what), config, tensors);
      await expect(openTransformer(path).then(checkTransformer)).rejects.toMatchObject({
        code: 'MODEL_UNAVAILABLE',
        message: expect.stringMatching(message),
      });
    });

    it('a key that PixArt does not have', async () => {
      const shapes = { ...originalShapes(), 'blocks.0.attn.q_norm.weight': [width] };
      const path = writeNetwork(folderOf('strange'), config, fill(shapes, transformerRule));
      await expect(openTransformer(path).then(checkTransformer)).rejects.toMatchObject({
        code: 'MODEL_UNAVAILABLE',
        message: expect.stringContaining('blocks.0.attn.q_norm.weight'),
      });
    });
  });

  it('believes the weights where they hold more layers than configured', async () => {
    const tensors = fill(diffusersShapes, transformerRule);
    const path = writeNetwork(folderOf('deeper'), { ...config, num_layers: 1 }, tensors);
    const transformer = await loadTransformer(await openTransformer(path), cpu);
    expect(transformer.config.layers).toBe(2);
    await transformer.release();
  });
});
