import { type Checkpoint, identityOf } from '../checkpoints/checkpoint.ts';
import {
  checkClass,
  findParts,
  ModelFolderDamaged,
  readModelIndex,
} from '../checkpoints/model-folder.ts';
import { openScheduler } from '../checkpoints/scheduler.ts';
import { openTextEncoder, type TextEncoderCheckpoint } from '../checkpoints/text-encoder.ts';
import { openTransformer, type TransformerConfig } from '../checkpoints/transformer.ts';
import { openVae, type VaeConfig } from '../checkpoints/vae.ts';
import { checkTextEncoder } from '../networks/text-encoder.ts';
import { dividesGrid, type Grid } from '../networks/token-compression.ts';
import { checkTransformer } from '../networks/transformer.ts';
import { checkVae } from '../networks/vae.ts';
import { createPromptReader, type ReadPrompt } from '../prompt/prompt-reader.ts';
import { loadTokenizer, type Tokenizer } from '../prompt/tokenizer.ts';
import { defaults, type ModelDescription, type Sampler, type Size, samplers } from '../request.ts';
import { bins } from '../resolution.ts';
import { latentChannels, latentFactor } from '../sampling/latents.ts';
import { samplerOf, samplersLike } from '../sampling/samplers.ts';
import type { Schedule } from '../sampling/schedule.ts';
import type { FoundModel } from './discovery.ts';
import { type EaselFile, type LatentRgb, readEaselFile } from './easel-file.ts';

/** A model folder in the layout of the official releases, opened and checked but not loaded. */
export type Model = {
  readonly found: FoundModel;
  readonly description: ModelDescription & { readonly available: true };
  readonly transformer: Checkpoint<TransformerConfig>;
  readonly textEncoder: TextEncoderCheckpoint;
  readonly vae: Checkpoint<VaeConfig>;
  readonly readPrompt: ReadPrompt;
  readonly schedule: Schedule;
  /** Null: to be fitted. */
  readonly latentRgb: LatentRgb | null;
  /** Changes with every file that images depend on. */
  readonly revision: string;
};

/** Latents along the side of a token, in every PixArt. */
const patchSize = 2;
/** Tokens of PixArt-α; Σ has those of `defaults`. */
const alphaPromptTokens = 120;

/**
 * Read a model folder's configuration and the headers of its weights, each once, and check that the
 * parts fit each other and what is built here.
 * @throws DomainError `MODEL_UNAVAILABLE`: a file is missing, cut off, or has values that cannot be used.
 */
export async function openModel({ name, folder, shared }: FoundModel): Promise<Model> {
  const { easel, identity } = await readEaselFile(folder);
  const index = await readModelIndex(folder);
  const parts = await findParts(folder, shared, easel.parts);
  const transformer = await openTransformer(parts.transformer);
  const textEncoder = await openTextEncoder(parts.text_encoder);
  const vae = await openVae(parts.vae);
  const tokenizer = await loadTokenizer(parts.tokenizer);
  const scheduler = await openScheduler(parts.scheduler, index?.scheduler ?? null);
  checkParts({ transformer, textEncoder, vae, tokenizer });
  const { name: sampler, schedule } = samplerOf(scheduler);

  const { sizes, size } = sizesOf(transformer.config, easel);
  const isAlpha = index?.pipeline === 'PixArtAlphaPipeline';
  const maxPromptTokens =
    easel.maxPromptTokens ?? (isAlpha ? alphaPromptTokens : defaults.maxPromptTokens);
  const networks = [transformer, textEncoder, vae];
  return {
    found: { name, folder, shared },
    description: {
      name,
      title: easel.title ?? name,
      description: easel.description ?? null,
      license: easel.license ?? null,
      available: true,
      unavailableReason: null,
      parameters: networks.reduce((sum, { weights }) => sum + weights.parameters, 0),
      precision: transformer.weights.dtype,
      maxPromptTokens,
      vocabulary: easel.vocabulary ?? null,
      defaults: { ...size, ...defaultsOf(sampler, easel) },
      sizes,
      samplers: samplersLike(sampler),
    },
    transformer,
    textEncoder,
    vae,
    readPrompt: createPromptReader(tokenizer, maxPromptTokens),
    schedule,
    latentRgb: easel.latentRgb ?? null,
    revision: identityOf([
      identity,
      index?.identity ?? '',
      ...[...networks, tokenizer, scheduler].map((part) => part.identity),
    ]),
  };
}

/** @throws DomainError `MODEL_UNAVAILABLE` where a part is not built here, or does not fit the others */
function checkParts({
  transformer,
  textEncoder,
  vae,
  tokenizer,
}: Pick<Model, 'transformer' | 'textEncoder' | 'vae'> & { tokenizer: Tokenizer }): void {
  const { className, captionChannels, channels } = transformer.config;
  if (className !== null) checkClass('transformer', className, 'transformer/config.json');
  if (vae.config.className !== null) checkClass('vae', vae.config.className, 'vae/config.json');
  checkTransformer(transformer);
  checkTextEncoder(textEncoder);
  checkVae(vae);
  const { width } = textEncoder.config;
  expectEqual('caption_channels in transformer/config.json', captionChannels, width);
  expectEqual('in_channels in transformer/config.json', channels, latentChannels);
  expectEqual('patch_size in transformer/config.json', transformer.config.patchSize, patchSize);
  expectEqual('latent_channels in vae/config.json', vae.config.latentChannels, latentChannels);
  expectEqual('in_channels in vae/config.json', vae.config.imageChannels, 3);
  const levels = 1 + Math.log2(latentFactor);
  expectEqual('block_out_channels in vae/config.json', vae.config.channels.length, levels);
  if (tokenizer.vocabularySize > textEncoder.vocabulary) {
    throw new ModelFolderDamaged(
      `Expected a text encoder for ${tokenizer.vocabularySize} tokens, but got one for ${textEncoder.vocabulary}`,
    );
  }
}

function expectEqual(what: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new ModelFolderDamaged(`Expected ${what} to be ${expected}, but got ${got}`);
}

/** @throws ModelFolderDamaged where `easel.json` names what the model's sampler cannot do */
function defaultsOf(own: Sampler, { defaults: named = {} }: EaselFile) {
  const { sampler = own } = named;
  const { steps: range, usesGuidance } = samplers[sampler];
  if (!samplersLike(own).includes(sampler)) {
    throw new ModelFolderDamaged(
      `Expected defaults.sampler in easel.json to be one of ${samplersLike(own).join(', ')}, which the model's scheduler allows, but got ${sampler}`,
    );
  }
  const { steps = range.default, guidanceScale = usesGuidance ? defaults.guidanceScale : 1 } =
    named;
  if (steps < range.min || steps > range.max) {
    throw new ModelFolderDamaged(
      `Expected defaults.steps in easel.json from ${range.min} to ${range.max} for sampler ${sampler}, but got ${steps}`,
    );
  }
  return { sampler, steps, guidanceScale };
}

/**
 * The sizes that it was trained on, squarest first, as far as its key/value compression divides
 * them, and the one of them that is the default.
 * @throws ModelFolderDamaged where `easel.json` names a size that it does not divide, or a default that is none of them
 */
function sizesOf({ compression, sampleSize }: TransformerConfig, easel: EaselFile) {
  const canDraw = (size: Size) => dividesGrid(compression, gridOf(size));
  const sizes = squarestFirst<Size>(easel.sizes ?? bins(sampleSize)).filter(canDraw);
  const [square] = sizes;
  if (square === undefined) {
    throw new ModelFolderDamaged(
      'Expected a size that the key/value compression divides, but got none',
    );
  }
  const { width = square.width, height = square.height } = easel.defaults ?? {};
  const refused = [...(easel.sizes ?? []), { width, height }].find((size) => !canDraw(size));
  if (refused !== undefined) {
    throw new ModelFolderDamaged(
      `Expected sizes in easel.json that the key/value compression divides, but got ${refused.width} x ${refused.height}`,
    );
  }
  if (!sizes.some((size) => size.width === width && size.height === height)) {
    throw new ModelFolderDamaged(
      `Expected the default size in easel.json to be one of its sizes, but got ${width} x ${height}`,
    );
  }
  return { sizes, size: { width, height } };
}

/** The tokens of an image: its pixels, in patches of latents. */
export function gridOf({ width, height }: Size): Grid {
  const token = latentFactor * patchSize;
  return { height: height / token, width: width / token };
}

function squarestFirst<T extends Size>(sizes: readonly T[]): T[] {
  const skew = ({ width, height }: Size) => Math.abs(Math.log(height / width));
  return [...sizes].sort((a, b) => skew(a) - skew(b));
}
