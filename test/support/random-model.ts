import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FloatDtype } from '../../src/inference/onnx/dtype.ts';
import { encodeSafetensors, type TensorToWrite } from '../../src/inference/onnx/safetensors.ts';
import { type Shapes, t5Shapes, transformerShapes, vaeShapes } from './network-shapes.ts';

export type RandomModel = {
  /** Pixels of the square size it is made for; a multiple of 16. */
  size?: number;
  layers?: number;
  heads?: number;
  headDim?: number;
  /** Key/value compression by convolution in these layers. */
  kvCompress?: { scaleFactor: number; layers: readonly number[] };
  textWidth?: number;
  textLayers?: number;
  vaeChannels?: readonly number[];
  dtype?: FloatDtype;
  seed?: number;
  title?: string;
};

/**
 * Write a whole model folder in the official layout, of random weights: everything that a real one
 * has, small enough that an image of 64 pixels takes milliseconds. Returns the folder.
 */
export function writeRandomModel(folder: string, options: RandomModel = {}): string {
  const { size = 64, layers = 2, heads = 2, headDim = 16, seed = 1, dtype = 'F32' } = options;
  const { textWidth = 32, textLayers = 2, vaeChannels = [8, 8, 16, 16] } = options;
  const random = gaussian(seed);
  const network = (name: string, stem: string, config: object, shapes: Shapes) => {
    mkdirSync(join(folder, name), { recursive: true });
    writeJson(join(folder, name, 'config.json'), config);
    writeFileSync(
      join(folder, name, `${stem}.safetensors`),
      encodeSafetensors(fill(shapes, dtype, random)),
    );
  };

  const width = heads * headDim;
  network(
    'transformer',
    'diffusion_pytorch_model',
    {
      _class_name: 'PixArtTransformer2DModel',
      activation_fn: 'gelu-approximate',
      attention_bias: true,
      attention_head_dim: headDim,
      caption_channels: textWidth,
      cross_attention_dim: width,
      in_channels: 4,
      interpolation_scale: 1,
      norm_elementwise_affine: false,
      norm_eps: 1e-6,
      norm_type: 'ada_norm_single',
      num_attention_heads: heads,
      num_layers: layers,
      out_channels: 8,
      patch_size: 2,
      sample_size: size / 8,
      use_additional_conditions: false,
      ...(options.kvCompress && {
        kv_compress_config: {
          sampling: 'conv',
          scale_factor: options.kvCompress.scaleFactor,
          kv_compress_layer: options.kvCompress.layers,
        },
      }),
    },
    transformerShapes({ width, layers, caption: textWidth, kvCompress: options.kvCompress }),
  );
  const textHeads = 4;
  const textHidden = 2 * textWidth;
  network(
    'text_encoder',
    'model',
    {
      architectures: ['T5EncoderModel'],
      d_ff: textHidden,
      d_kv: textWidth / textHeads,
      d_model: textWidth,
      feed_forward_proj: 'gated-gelu',
      layer_norm_epsilon: 1e-6,
      num_heads: textHeads,
      num_layers: textLayers,
      relative_attention_max_distance: 128,
      relative_attention_num_buckets: 32,
      vocab_size: pieces.length,
    },
    t5Shapes({
      width: textWidth,
      inner: textWidth,
      hidden: textHidden,
      heads: textHeads,
      layers: textLayers,
      vocabulary: pieces.length,
    }),
  );
  network(
    'vae',
    'diffusion_pytorch_model',
    {
      _class_name: 'AutoencoderKL',
      block_out_channels: vaeChannels,
      in_channels: 3,
      latent_channels: 4,
      layers_per_block: 1,
      norm_num_groups: 4,
      out_channels: 3,
      sample_size: 512,
      scaling_factor: 0.13025,
      force_upcast: false,
    },
    vaeShapes({ channels: vaeChannels, layersPerBlock: 1 }),
  );

  mkdirSync(join(folder, 'tokenizer'), { recursive: true });
  writeJson(join(folder, 'tokenizer', 'tokenizer.json'), tokenizer());
  writeJson(join(folder, 'tokenizer', 'tokenizer_config.json'), {
    tokenizer_class: 'T5Tokenizer',
    eos_token: '</s>',
    pad_token: '<pad>',
    unk_token: '<unk>',
    model_max_length: 512,
    extra_ids: 0,
  });
  mkdirSync(join(folder, 'scheduler'), { recursive: true });
  writeJson(join(folder, 'scheduler', 'scheduler_config.json'), scheduler);
  writeJson(join(folder, 'model_index.json'), {
    _class_name: 'PixArtSigmaPipeline',
    _diffusers_version: '0.32.0',
    scheduler: ['diffusers', 'DPMSolverMultistepScheduler'],
    text_encoder: ['transformers', 'T5EncoderModel'],
    tokenizer: ['transformers', 'T5Tokenizer'],
    transformer: ['diffusers', 'PixArtTransformer2DModel'],
    vae: ['diffusers', 'AutoencoderKL'],
  });
  writeJson(join(folder, 'easel.json'), {
    title: options.title ?? 'Random',
    description: 'Random weights in the official layout: it draws noise, and draws it fast.',
    license: 'Apache-2.0',
    defaults: { width: size, height: size, steps: 4, guidanceScale: 4.5, sampler: 'DPMPP_2M' },
    sizes: [
      { width: size, height: size },
      { width: size + 32, height: size },
      { width: size, height: size + 32 },
    ],
    latentRgb: {
      matrix: [
        [0.35, 0.3, 0.2],
        [0.1, 0.25, -0.1],
        [-0.2, 0.1, 0.3],
        [-0.15, -0.2, -0.25],
      ],
      bias: [0, -0.05, 0.05],
    },
    vocabulary: ['boat', 'cat', 'house'],
    maxPromptTokens: 40,
  });
  return folder;
}

/** Matrices that keep the scale of what they multiply, norms near one, biases near zero. */
function fill(shapes: Shapes, dtype: FloatDtype, random: () => number) {
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((product, side) => product * side, 1);
    const isMatrix = shape.length > 1 && !name.includes('scale_shift');
    const isTable = name.startsWith('shared') || name.includes('relative_attention');
    const isNorm = shape.length === 1 && name.endsWith('weight');
    const fanIn = shape.slice(1).reduce((product, side) => product * side, 1);
    const scale = isTable ? 1 : isMatrix ? 1 / Math.sqrt(fanIn) : 0.1;
    const data = Float32Array.from({ length: count }, () => (isNorm ? 1 : 0) + scale * random());
    tensors[name] = { shape, data, dtype };
  }
  return tensors;
}

/** Seeded normal numbers: mulberry32 and Box–Muller. */
function gaussian(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

const specialPieces = ['<pad>', '</s>', '<unk>'];
const pieces: readonly string[] = [
  ...specialPieces,
  '▁',
  ...'abcdefghijklmnopqrstuvwxyz0123456789.,-!?\'"ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  ...['▁a', '▁the', '▁red', '▁blue', '▁boat', '▁cat', '▁house', '▁sea', '▁sun', 's', 'ing', '▁on'],
  ...['▁at', '▁in', '▁of', '▁with', '▁and', 'er'],
].filter((piece, index, all) => all.indexOf(piece) === index);

/** HF `tokenizers` form of a unigram model, as T5's own is. */
function tokenizer() {
  const added = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialPieces.map(added),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFKC' },
        { type: 'Strip', strip_left: false, strip_right: true },
        { type: 'Replace', pattern: { Regex: ' {2,}' }, content: '▁' },
      ],
    },
    pre_tokenizer: {
      type: 'Metaspace',
      replacement: '▁',
      prepend_scheme: 'always',
      split: true,
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
      pair: [
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '</s>', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 0 } },
        { SpecialToken: { id: '</s>', type_id: 0 } },
      ],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    model: {
      type: 'Unigram',
      unk_id: 2,
      // Longer pieces are likelier, so that whole words win.
      vocab: pieces.map((piece, id) => [piece, id < 3 ? 0 : -8 + 0.5 * piece.length]),
      byte_fallback: false,
    },
  };
}

const scheduler = {
  _class_name: 'DPMSolverMultistepScheduler',
  algorithm_type: 'dpmsolver++',
  beta_end: 0.02,
  beta_schedule: 'linear',
  beta_start: 0.0001,
  num_train_timesteps: 1000,
  prediction_type: 'epsilon',
  solver_order: 2,
  solver_type: 'midpoint',
  lower_order_final: true,
  euler_at_final: false,
  thresholding: false,
  timestep_spacing: 'linspace',
  steps_offset: 0,
  use_karras_sigmas: false,
};

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
