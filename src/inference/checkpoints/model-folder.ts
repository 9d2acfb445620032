import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { checkTextEncoder } from '../networks/text-encoder.ts';
import { checkTransformer } from '../networks/transformer.ts';
import { checkVae } from '../networks/vae.ts';
import type { Weights } from '../onnx/weights.ts';
import type { LatentRgb } from '../pipelines/preview.ts';
import { cleanCaption, plainCaption } from '../prompt/caption.ts';
import { loadTokenizer, type Tokenizer } from '../prompt/tokenizer.ts';
import { defaults, type ModelDescription, type Size } from '../request.ts';
import { bins } from '../resolution.ts';
import { type Sampler, samplerNames, samplers } from '../sampling/samplers.ts';
import { parseConfig, type ScheduleConfig } from '../sampling/schedule.ts';
import { easelSchema } from './easel-file.ts';
import { isFile, isFolder, ModelFolderDamaged, needJson, readJson, readText } from './file.ts';

/** A model folder in the layout of the official releases, read and checked but not loaded. */
export type ModelFolder = {
  /** Absolute. */
  readonly place: string;
  /** Absolute folders; those that the model lacks are the shared parts' own. */
  readonly parts: Readonly<Record<Part, string>>;
  readonly description: ModelDescription & { readonly available: true };
  readonly tokenizer: Tokenizer;
  readonly maxPromptTokens: number;
  readonly schedule: ScheduleConfig;
  /** Null: to be fitted. */
  readonly latentRgb: LatentRgb | null;
  /** Weight files of each network, shards in the order of their names. */
  readonly weightFiles: Readonly<Record<Network, readonly string[]>>;
  /** Changes with every file that pictures depend on. */
  readonly revision: string;
};

const networks = {
  transformer: 'diffusion_pytorch_model',
  text_encoder: 'model',
  vae: 'diffusion_pytorch_model',
} as const;
type Network = keyof typeof networks;
const partNames = ['transformer', 'text_encoder', 'vae', 'tokenizer', 'scheduler'] as const;
type Part = (typeof partNames)[number];

/** What diffusers and transformers call the classes that are built here. */
const classes = {
  transformer: ['PixArtTransformer2DModel', 'Transformer2DModel'],
  text_encoder: ['T5EncoderModel'],
  vae: ['AutoencoderKL'],
  tokenizer: ['T5Tokenizer', 'T5TokenizerFast'],
  scheduler: samplerNames.flatMap((name) => samplers[name].schedulers),
} as const satisfies Record<Part, readonly string[]>;
const pipelines = ['PixArtSigmaPipeline', 'PixArtAlphaPipeline'];

/** The official releases for 256, 512 and 2K hold a transformer only, and share these. */
export const officialParts = 'pixart_sigma_sdxlvae_T5_diffusers';
/** Tokens of PixArt-α; Σ has those of `defaults`. */
const alphaPromptTokens = 120;
const alphaPipeline = 'PixArtAlphaPipeline';

/**
 * Read a model folder's configuration and the headers of its weights; no weights are loaded.
 * @throws DomainError `MODEL_UNAVAILABLE`: a file is missing, cut off, or says what cannot be used.
 */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const easel = (await readJson(join(folder, 'easel.json'), easelSchema)) ?? {};
  const pipeline = await readModelIndex(folder);
  const parts = await findParts(folder, easel.parts);
  await checkClasses(parts);

  const opened = {
    transformer: await checkTransformer(parts.transformer),
    text_encoder: await checkTextEncoder(parts.text_encoder),
    vae: await checkVae(parts.vae),
  } satisfies Record<Network, Weights>;
  const tokenizer = await loadTokenizer(parts.tokenizer);
  if (tokenizer.vocabularySize > opened.text_encoder.vocabulary) {
    throw new ModelFolderDamaged(
      `Expected a text encoder for ${tokenizer.vocabularySize} tokens, but got one for ${opened.text_encoder.vocabulary}`,
    );
  }
  const schedule = parseConfig(await readText(join(parts.scheduler, 'scheduler_config.json')));
  const sampler =
    samplerNames.find((name) => schedulersOf(name).includes(schedule.className)) ??
    defaults.sampler;
  const { sample_size: sampleSize } = await needJson(
    join(parts.transformer, 'config.json'),
    z.object({ sample_size: z.int().min(8).max(1024) }),
  );
  const maxPromptTokens =
    easel.maxPromptTokens ??
    (pipeline === alphaPipeline ? alphaPromptTokens : defaults.maxPromptTokens);
  const sizes = squarestFirst(easel.sizes ?? bins(sampleSize));
  const square = sizes[0] ?? { width: sampleSize * 8, height: sampleSize * 8 };
  const weightFiles = {
    transformer: await shardFiles(parts.transformer, networks.transformer),
    text_encoder: await shardFiles(parts.text_encoder, networks.text_encoder),
    vae: await shardFiles(parts.vae, networks.vae),
  };

  return {
    place: folder,
    parts,
    description: {
      name: basename(folder),
      title: easel.title ?? basename(folder),
      description: easel.description ?? null,
      license: easel.license ?? null,
      available: true,
      unavailableReason: null,
      parameters: Object.values(opened).reduce((sum, { parameters }) => sum + parameters, 0),
      precision: opened.transformer.dtype,
      maxPromptTokens,
      vocabulary: easel.vocabulary ?? null,
      defaults: {
        width: square.width,
        height: square.height,
        sampler,
        steps: samplers[sampler].steps.default,
        guidanceScale: samplers[sampler].usesGuidance ? defaults.guidanceScale : 1,
        ...easel.defaults,
      },
      sizes,
      samplers: [sampler],
    },
    tokenizer,
    maxPromptTokens,
    schedule,
    latentRgb: easel.latentRgb ?? null,
    weightFiles,
    revision: await revisionOf(folder, parts, Object.values(weightFiles).flat()),
  };
}

function schedulersOf(name: Sampler): readonly string[] {
  return samplers[name].schedulers;
}

/** A prompt as the model reads it: cleaned or not, and cut to its length. */
export function tokenize(
  { tokenizer, maxPromptTokens }: Pick<ModelFolder, 'tokenizer' | 'maxPromptTokens'>,
  prompt: string,
  isCleaned: boolean,
): ReturnType<Tokenizer['encode']> {
  const caption = isCleaned ? cleanCaption(prompt) : plainCaption(prompt);
  return tokenizer.encode(caption, maxPromptTokens);
}

/** The pipeline's class, where there is a `model_index.json`; transformers alone have none. */
async function readModelIndex(folder: string): Promise<string | null> {
  const index = await readJson(join(folder, 'model_index.json'), z.record(z.string(), z.unknown()));
  if (index === undefined) return null;
  const { _class_name: pipeline } = index;
  if (typeof pipeline !== 'string' || !pipelines.includes(pipeline)) {
    throw new ModelFolderDamaged(
      `Expected ${pipelines.join(' or ')} in model_index.json, but got ${JSON.stringify(pipeline)}`,
    );
  }
  for (const [name, value] of Object.entries(index)) {
    if (name.startsWith('_')) continue;
    if (!/^[A-Za-z]\w*$/.test(name)) {
      throw new ModelFolderDamaged(
        `Expected names inside the folder in model_index.json, but got ${JSON.stringify(name)}`,
      );
    }
    const part = partNames.find((known) => known === name);
    const className = Array.isArray(value) ? value[1] : null;
    if (part === undefined || className === null) continue;
    expectClass(part, className, 'model_index.json');
  }
  return pipeline;
}

function expectClass(part: Part, got: unknown, where: string): void {
  if (classes[part].some((known) => known === got)) return;
  throw new ModelFolderDamaged(
    `Expected ${classes[part].join(' or ')} for ${part} in ${where}, but got ${JSON.stringify(got)}`,
  );
}

async function findParts(folder: string, named: string | undefined): Promise<Record<Part, string>> {
  const shared = join(dirname(folder), named ?? officialParts);
  const found: Partial<Record<Part, string>> = {};
  const missing: Part[] = [];
  for (const part of partNames) {
    const places = [join(folder, part), ...(part === 'transformer' ? [] : [join(shared, part)])];
    for (const place of places) if (await isFolder(place)) found[part] ??= place;
    if (found[part] === undefined) missing.push(part);
  }
  if (missing.length > 0) {
    throw new ModelFolderDamaged(
      `Expected ${missing.map((part) => `${part}/`).join(', ')} in the model folder or in ${basename(shared)}/ beside it, but got neither`,
    );
  }
  return found as Record<Part, string>;
}

async function checkClasses(parts: Record<Part, string>): Promise<void> {
  for (const part of ['transformer', 'vae'] as const) {
    const { _class_name: name } = await needJson(
      join(parts[part], 'config.json'),
      z.object({ _class_name: z.string().optional() }),
    );
    if (name !== undefined) expectClass(part, name, `${part}/config.json`);
  }
}

function squarestFirst<T extends Size>(sizes: readonly T[]): T[] {
  const skew = ({ width, height }: Size) => Math.abs(Math.log(height / width));
  return [...sizes].sort((a, b) => skew(a) - skew(b));
}

/** One file, or the shards in the order of their names; `openWeights` has checked them. */
async function shardFiles(folder: string, stem: string): Promise<string[]> {
  const index = await readJson(
    join(folder, `${stem}.safetensors.index.json`),
    z.object({ weight_map: z.record(z.string(), z.string()) }),
  );
  const single = join(folder, `${stem}.safetensors`);
  if (index === undefined || (await isFile(single))) return [single];
  return [...new Set(Object.values(index.weight_map))].sort().map((name) => join(folder, name));
}

async function revisionOf(
  folder: string,
  parts: Record<Part, string>,
  weightFiles: readonly string[],
): Promise<string> {
  const paths = [
    ...weightFiles,
    join(folder, 'easel.json'),
    ...Object.keys(networks).map((network) => join(parts[network as Network], 'config.json')),
    join(parts.scheduler, 'scheduler_config.json'),
    join(parts.tokenizer, 'tokenizer.json'),
    join(parts.tokenizer, 'spiece.model'),
  ];
  const hash = createHash('sha256');
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    hash.update(`${path}\0${found?.size ?? ''}\0${found?.mtimeMs ?? ''}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}
