import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttentionForm } from '../../src/inference/networks/layers.ts';
import { loadTransformer, type Transformer } from '../../src/inference/networks/transformer.ts';
import type { TensorToWrite } from '../../src/inference/onnx/safetensors.ts';
import {
  absoluteSum,
  fill,
  relativeError,
  roundTo,
  sum,
  temporaryFolder,
  transformerRule,
  wave,
  writeNetwork,
} from '../support/golden.ts';
import { transformerShapes } from '../support/random-model.ts';

const cpu = { provider: 'cpu', threads: 1 } as const;
const width = 24;
type Side = readonly [height: number, width: number];
const config = {
  num_layers: 2,
  num_attention_heads: 2,
  attention_head_dim: 12,
  caption_channels: 16,
  in_channels: 4,
  out_channels: 8,
  patch_size: 2,
  sample_size: 16,
  interpolation_scale: 2,
  norm_type: 'ada_norm_single',
  norm_eps: 1e-6,
};
const diffusersShapes = transformerShapes({ width, layers: 2, caption: 16 });

/** The micro-conditions' embedders under diffusers' names. */
const microShapes = Object.fromEntries(
  ['resolution_embedder', 'aspect_ratio_embedder'].flatMap((part) => {
    const name = `adaln_single.emb.${part}`;
    return [
      [`${name}.linear_1.weight`, [width / 3, 256]],
      [`${name}.linear_1.bias`, [width / 3]],
      [`${name}.linear_2.weight`, [width / 3, width / 3]],
      [`${name}.linear_2.bias`, [width / 3]],
    ];
  }),
);

/** The same network under the key names of PixArt's own checkpoints, packed projections included. */
function originalShapes({ micro = false, compressed = false } = {}) {
  const shapes: Record<string, number[]> = {
    pos_embed: [1, 64, width],
    'y_embedder.y_embedding': [300, 16],
    'final_layer.scale_shift_table': [2, width],
  };
  const linear = (name: string, from: number, to: number) => {
    shapes[`${name}.weight`] = [to, from];
    shapes[`${name}.bias`] = [to];
  };
  shapes['x_embedder.proj.weight'] = [width, 4, 2, 2];
  shapes['x_embedder.proj.bias'] = [width];
  linear('y_embedder.y_proj.fc1', 16, width);
  linear('y_embedder.y_proj.fc2', width, width);
  linear('t_embedder.mlp.0', 256, width);
  linear('t_embedder.mlp.2', width, width);
  linear('t_block.1', width, 6 * width);
  linear('final_layer.linear', width, 32);
  if (micro) {
    for (const name of ['csize_embedder', 'ar_embedder']) {
      linear(`${name}.mlp.0`, 256, width / 3);
      linear(`${name}.mlp.2`, width / 3, width / 3);
    }
  }
  for (const layer of [0, 1]) {
    const block = `blocks.${layer}`;
    shapes[`${block}.scale_shift_table`] = [6, width];
    linear(`${block}.attn.qkv`, width, 3 * width);
    linear(`${block}.attn.proj`, width, width);
    linear(`${block}.cross_attn.q_linear`, width, width);
    linear(`${block}.cross_attn.kv_linear`, width, 2 * width);
    linear(`${block}.cross_attn.proj`, width, width);
    linear(`${block}.mlp.fc1`, width, 4 * width);
    linear(`${block}.mlp.fc2`, 4 * width, width);
  }
  if (compressed) {
    shapes['blocks.1.attn.sr.weight'] = [width, 1, 2, 2];
    shapes['blocks.1.attn.sr.bias'] = [width];
    shapes['blocks.1.attn.norm.weight'] = [width];
    shapes['blocks.1.attn.norm.bias'] = [width];
  }
  return shapes;
}

const compress = (sampling: string) => ({
  kv_compress_config: { sampling, scale_factor: 2, kv_compress_layer: [1] },
});

/**
 * Outputs at [sample, channel, y, x]: (0,0,0,0) (0,0,0,1) (0,0,1,0) (0,1,3,5) (1,0,0,0) (1,3,7,2)
 * (1,7,last,last); then the sum of all eight channels, and of their sizes.
 */
const cases = [
  {
    name: 'diffusers keys',
    shapes: diffusersShapes,
    config: {},
    values: [1.152046, -0.974058, -0.584299, 0.428072, 1.189818, -1.154262, 1.902477],
    sums: [-19.51566, 5177.9134],
  },
  {
    name: 'diffusers keys, a square grid of 8 latents',
    shapes: diffusersShapes,
    config: { sample_size: 8, interpolation_scale: 0.5 },
    side: [8, 8] as const,
    values: [-2.334996, -0.642038, 2.672449, -2.352256, 0.896563, 1.278069, -0.417594],
    sums: [-6.038, 1645.93862],
  },
  {
    name: 'diffusers keys, micro-conditions',
    shapes: { ...diffusersShapes, ...microShapes },
    config: { interpolation_scale: 1 },
    values: [0.956728, -1.087686, -0.310167, 0.556941, 1.116207, -0.79157, 2.155327],
    sums: [-1.97438, 5056.28329],
  },
  {
    name: "PixArt's own keys",
    shapes: originalShapes(),
    config: {},
    values: [0.226646, -3.305405, 1.939705, -3.343969, 0.783246, -0.650471, 0.549475],
    sums: [82.39833, 5778.90717],
  },
  {
    name: "PixArt's own keys, micro-conditions",
    shapes: originalShapes({ micro: true }),
    config: {},
    values: [0.012932, -3.242388, 2.109709, -3.240289, 0.557902, -0.918693, 0.581637],
    sums: [65.71711, 5899.53612],
  },
  ...[{}, compress('conv')].map((config) => ({
    name: `compression by convolution, as ${'kv_compress_config' in config ? 'configured' : 'the keys say'}`,
    shapes: originalShapes({ compressed: true }),
    config,
    values: [0.218373, -3.318197, 1.95685, -3.358166, 0.804459, -0.655281, 0.552341],
    sums: [82.75862, 5808.0397],
  })),
  ...['ave', 'uniform'].map((sampling) => ({
    name: `compression '${sampling}'`,
    shapes: originalShapes(),
    config: compress(sampling),
    values: [0.221951, -3.306108, 1.944887, -3.343187, 0.786788, -0.649541, 0.549061],
    sums: [82.44412, 5778.61612],
  })),
  {
    name: "compression 'uniform_every'",
    shapes: originalShapes(),
    config: compress('uniform_every'),
    values: [0.224834, -3.306436, 1.942232, -3.343679, 0.785548, -0.649426, 0.549144],
    sums: [82.46148, 5778.48042],
  },
];

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
    const transformer = await loadTransformer(path, { ...cpu, attention });
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
      samples.push(await transformer.predict(own, height, width, timestep, conditioning));
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
      transformer = await loadTransformer(writeNetwork(folderOf('one'), config, tensors), cpu);
    });
    afterAll(() => transformer.release());
    const caption = (tokens: number) => ({ data: wave(tokens * 16), tokens });

    it('predicts any size after any other, the same each time', async () => {
      const conditioning = await transformer.condition(caption(3));
      const predict = (height: number, width: number, timestep: number) =>
        transformer.predict(wave(4 * height * width), height, width, timestep, conditioning);
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
      await expect(transformer.predict(wave(4 * 7 * 8), 7, 8, 0, conditioning)).rejects.toThrow(
        /sides that divide by 2/,
      );
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
    ])('$what', async ({ what, config, tensors, message }) => {
      const path = writeNetwork(folderOf(what), config, tensors);
      await expect(loadTransformer(path, cpu)).rejects.toMatchObject({
        code: 'MODEL_UNAVAILABLE',
        message: expect.stringMatching(message),
      });
    });

    it('a key that PixArt does not have', async () => {
      const shapes = { ...originalShapes(), 'blocks.0.attn.q_norm.weight': [width] };
      const path = writeNetwork(folderOf('strange'), config, fill(shapes, transformerRule));
      await expect(loadTransformer(path, cpu)).rejects.toMatchObject({
        code: 'MODEL_UNAVAILABLE',
        message: expect.stringContaining('blocks.0.attn.q_norm.weight'),
      });
    });
  });

  it('believes the weights where they hold more layers than configured', async () => {
    const tensors = fill(diffusersShapes, transformerRule);
    const path = writeNetwork(folderOf('deeper'), { ...config, num_layers: 1 }, tensors);
    const transformer = await loadTransformer(path, cpu);
    expect(transformer.config.layers).toBe(2);
    await transformer.release();
  });
});
