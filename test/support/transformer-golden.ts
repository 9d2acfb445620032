import { transformerShapes } from './network-shapes.ts';

export const width = 24;
export type Side = readonly [height: number, width: number];
export const config = {
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
export const diffusersShapes = transformerShapes({ width, layers: 2, caption: 16 });

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
export function originalShapes({ micro = false, compressed = false } = {}) {
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

export const compress = (sampling: string) => ({
  kv_compress_config: { sampling, scale_factor: 2, kv_compress_layer: [1] },
});

/**
 * Outputs at [sample, channel, y, x]: (0,0,0,0) (0,0,0,1) (0,0,1,0) (0,1,3,5) (1,0,0,0) (1,3,7,2)
 * (1,7,last,last); then the sum of all eight channels, and of their sizes.
 */
export const cases = [
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
