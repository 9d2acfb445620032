import type { TensorEntry } from '../onnx/safetensors.ts';
import { TensorMismatch, type Weights, weightsOf } from '../onnx/weights.ts';

/**
 * The key names of PixArt's own checkpoints (`.pth`, saved as safetensors) and what diffusers calls
 * the same tensors. Source: PixArt-sigma `tools/convert_pixart_to_diffusers.py`.
 */
const modules = {
  'x_embedder.proj': 'pos_embed.proj',
  'y_embedder.y_proj.fc1': 'caption_projection.linear_1',
  'y_embedder.y_proj.fc2': 'caption_projection.linear_2',
  't_embedder.mlp.0': 'adaln_single.emb.timestep_embedder.linear_1',
  't_embedder.mlp.2': 'adaln_single.emb.timestep_embedder.linear_2',
  't_block.1': 'adaln_single.linear',
  'csize_embedder.mlp.0': 'adaln_single.emb.resolution_embedder.linear_1',
  'csize_embedder.mlp.2': 'adaln_single.emb.resolution_embedder.linear_2',
  'ar_embedder.mlp.0': 'adaln_single.emb.aspect_ratio_embedder.linear_1',
  'ar_embedder.mlp.2': 'adaln_single.emb.aspect_ratio_embedder.linear_2',
  'final_layer.linear': 'proj_out',
} as const satisfies Record<string, string>;

/** Inside a block. Several names: a packed tensor, cut into as many parts along its first axis. */
const blockModules: Record<string, readonly string[]> = {
  'attn.qkv': ['attn1.to_q', 'attn1.to_k', 'attn1.to_v'],
  'attn.proj': ['attn1.to_out.0'],
  'attn.sr': ['attn1.sr'],
  'attn.norm': ['attn1.norm'],
  'cross_attn.q_linear': ['attn2.to_q'],
  'cross_attn.kv_linear': ['attn2.to_k', 'attn2.to_v'],
  'cross_attn.proj': ['attn2.to_out.0'],
  'mlp.fc1': ['ff.net.0.proj'],
  'mlp.fc2': ['ff.net.2'],
};

/** Computed from the configuration, or of use in training only. */
const unused = new Set(['pos_embed', 'y_embedder.y_embedding']);

export function hasOriginalKeys(weights: Weights): boolean {
  return weights.has('x_embedder.proj.weight');
}

/**
 * Weights under PixArt's own key names, as weights under diffusers' names. Packed projections are
 * byte ranges of the stored tensor.
 *
 * @throws TensorMismatch for a key that is not PixArt's
 */
export function fromOriginalKeys(weights: Weights): Weights {
  const entries = new Map<string, TensorEntry>();
  for (const name of weights.names()) {
    if (unused.has(name)) continue;
    const entry = weights.entry(name);
    const names = diffusersNames(name);
    names.forEach((diffusersName, part) => {
      entries.set(diffusersName, names.length === 1 ? entry : cut(name, entry, part, names.length));
    });
  }
  return weightsOf(entries, weights.files);
}

function diffusersNames(name: string): string[] {
  if (name === 'final_layer.scale_shift_table') return ['scale_shift_table'];
  const { module, parameter } =
    /^(?<module>.+)\.(?<parameter>weight|bias)$/.exec(name)?.groups ?? {};
  const renamed = module === undefined ? undefined : (modules as Record<string, string>)[module];
  if (renamed !== undefined) return [`${renamed}.${parameter}`];

  const { block, rest } = /^blocks\.(?<block>\d+)\.(?<rest>.+)$/.exec(name)?.groups ?? {};
  if (rest === 'scale_shift_table') return [`transformer_blocks.${block}.scale_shift_table`];
  const inBlock = module?.replace(/^blocks\.\d+\./, '');
  const parts = block === undefined || inBlock === undefined ? undefined : blockModules[inBlock];
  if (parts === undefined) throw new TensorMismatch(name, "one of PixArt's keys", 'an unknown one');
  return parts.map((part) => `transformer_blocks.${block}.${part}.${parameter}`);
}

function cut(name: string, entry: TensorEntry, part: number, parts: number): TensorEntry {
  const [rows = 0, ...rest] = entry.shape;
  if (rows % parts !== 0) throw new TensorMismatch(name, `${parts} equal parts`, `${rows} rows`);
  const length = entry.length / parts;
  return {
    ...entry,
    shape: [rows / parts, ...rest],
    offset: entry.offset + part * length,
    length,
  };
}
