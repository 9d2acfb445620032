import { z } from 'zod';
import type { PreviewDemand } from './preview-demand.ts';
import { type Sampler, samplerNames, samplers } from './sampling/samplers.ts';

export { createPreviewDemand, type PreviewDemand, setPreviewDemand } from './preview-demand.ts';
export { type Sampler, samplerNames, samplers };

/**
 * What may be asked of the engine. Limits, defaults and descriptions of the settings live in the one record below;
 * the API's types and documentation, the checks before anything is queued, the rows and the metadata in the images
 * are made of it.
 */

/** What a running image is busy with. */
export const stages = ['LOADING_MODEL', 'ENCODING', 'DENOISING', 'DECODING', 'SAVING'] as const;
export type Stage = (typeof stages)[number];

/** `auto` takes the best that passes the self-test; any other must pass, or the start fails. */
export const providers = ['auto', 'cpu', 'webgpu', 'cuda'] as const;
export type Provider = (typeof providers)[number];

/** The VAE's factor 8 times the patch size 2: sides of images are multiples of this, in pixels. */
export const sizeMultiple = 16;
/** An exact size has at most this many times the pixels of the model's largest one. */
export const exactSizeFactor = 4;

/** Characters are UTF-16 code units; the tokenizer cuts at the model's own number of tokens. */
const promptText = z.string().max(8000);
const side = z.int().min(64).max(4096);
/** Of the denoising steps: 0 before the first one, 1 after the last one. */
const fraction = z.number().min(0).max(1);
const steps = z
  .int()
  .min(Math.min(...samplerNames.map((name) => samplers[name].steps.min)))
  .max(Math.max(...samplerNames.map((name) => samplers[name].steps.max)));

/** For documentation and messages: what is taken where a setting is left out, if that is no fixed value. */
const standard = (text: string) => ({ standard: text });
const ofTheModel = standard("the model's");

/** Every setting of a generation. A new one is a row here, and the place that acts on it. */
export const settings = {
  prompt: promptText.describe('Text describing the image to generate.'),
  negativePrompt: promptText
    .default('')
    .describe('Text describing what the image should not show. Has an effect with guidance only.'),
  cleanCaption: z
    .boolean()
    .default(true)
    .describe(
      "Whether both prompts are normalised as the captions of the model's training were: lower case, without URLs, HTML and the like.",
    ),
  promptWeighting: z
    .boolean()
    .default(false)
    .describe(
      'Whether brackets in both prompts are weights, as other programs read them: `(word)` counts 1.1 times, `(word:1.3)` 1.3 times, `[word]` 1/1.1 times; `\\(` is a bracket. Otherwise they are text.',
    ),
  model: z
    .string()
    .describe(
      'Name of the model (`Model.name`). Names are the same on every installation, ids are not.',
    )
    .meta(standard("the server's default model")),
  width: side
    .describe(
      "Width of the image in pixels. Without `exactSize`, width and height are replaced by the model's size (`Model.sizes`) whose aspect ratio is nearest.",
    )
    .meta(ofTheModel),
  height: side.describe('Height of the image in pixels, see `width`.').meta(ofTheModel),
  exactSize: z
    .boolean()
    .default(false)
    .describe(
      `Whether width and height are used as given. They must then be multiples of ${sizeMultiple}, with at most ${exactSizeFactor} times the pixels of the model's largest size.`,
    ),
  steps: steps
    .describe('Number of denoising steps. Some samplers take fewer than the maximum.')
    .meta(ofTheModel),
  guidanceScale: z
    .number()
    .min(0)
    .max(30)
    .default(4.5)
    .describe(
      'Strength of classifier-free guidance: how closely the image follows the prompt. At 1 and below there is no guidance, and each step takes half the time.',
    )
    .meta(ofTheModel),
  guidanceStart: fraction
    .default(0)
    .describe('Fraction of the denoising steps after which guidance begins.'),
  guidanceEnd: fraction
    .default(1)
    .describe(
      'Fraction of the denoising steps after which guidance ends; not below `guidanceStart`.',
    ),
  perturbedAttentionScale: z
    .number()
    .min(0)
    .max(10)
    .default(0)
    .describe(
      'Strength of perturbed-attention guidance, which leads away from what the model predicts with part of its self-attention left out: clearer structure, with or without classifier-free guidance. Acts between `guidanceStart` and `guidanceEnd`, with samplers that take guidance. At 0 there is none; above, each step takes one more evaluation of the model. 3 is a common value.',
    ),
  sampler: z
    .enum(samplerNames)
    .default('DPMPP_2M')
    .describe('Sampling algorithm. Must be one of `Model.samplers`.')
    .meta(ofTheModel),
  seed: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .describe(
      'Seed of the initial noise: the same settings and seed give the same image. Image i of the generation has the seed plus i.',
    )
    .meta(standard('a random one')),
  count: z.int().min(1).max(8).default(1).describe('Number of images in the generation.'),
} as const;

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as SettingName[];

/**
 * The settings of a generation, complete: nothing is filled in further down. Without the limits, which hold for
 * what is asked: a size of the model may lie beyond them, and a record may be older than they are.
 */
export const generationSettings = z.object(
  Object.fromEntries(
    Object.entries(settings).map(([name, type]) => [name, withoutLimits(type)]),
  ) as typeof settings,
);
export type GenerationSettings = Readonly<z.infer<typeof generationSettings>>;

/** The settings as a client gives them. Left out and null are the same: the default. */
export type AskedSettings = {
  readonly [Name in SettingName]?: GenerationSettings[Name] | null;
} & { readonly prompt: string };

/** What the pixels of one image depend on; `seed` is the image's own. */
export const imageSettings = generationSettings.omit({ count: true, exactSize: true });
export type ImageSettings = Readonly<z.infer<typeof imageSettings>>;

/** An image that another one is made from. */
export type SourceImage = {
  /** `width * height * 3` bytes of the request's own size, row-major, sRGB. */
  readonly rgb: Uint8Array;
  /** Above 0, at most 1: the part of the denoising steps that is taken. At 1 little of the source is left. */
  readonly strength: number;
  /**
   * `width * height` bytes, row-major: 0 returns the pixel of the source as it is, 255 repaints it, and what lies
   * between mixes both. Null, or left out: the whole image is made anew.
   */
  readonly mask?: Uint8Array | null;
};

/** One image. */
export type ImageRequest = ImageSettings & {
  /** Turns alternate between shares; opaque here. */
  readonly share: string;
  /** Null, or left out: the image is made from text alone. */
  readonly source?: SourceImage | null;
};

/** What a model may have defaults of its own for, where the record's hold for the others. */
export type ModelDefaults = Pick<
  GenerationSettings,
  'width' | 'height' | 'steps' | 'guidanceScale' | 'sampler'
>;

function withoutLimits(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodDefault) {
    return withoutLimits(type.unwrap() as z.ZodType).default(type.parse(undefined));
  }
  if (type instanceof z.ZodNumber) return type.isInt ? z.int() : z.number();
  return type instanceof z.ZodString ? z.string() : type;
}

/** The type of a setting without its default: with its limits. */
export function bareType(name: SettingName): z.ZodType {
  const type: z.ZodType = settings[name];
  return type instanceof z.ZodDefault ? (type.unwrap() as z.ZodType) : type;
}

/** The value that is taken where a setting is left out and the model has none; undefined where there is no fixed one. */
export function fixedDefault(name: SettingName): unknown {
  const parsed = settings[name].safeParse(undefined);
  return parsed.success ? parsed.data : undefined;
}

/** As a text: `the model's`, `a random one`. Undefined where the default is a fixed value. */
export function standardOf(name: SettingName): string | undefined {
  const text = settings[name].meta()?.['standard'];
  return typeof text === 'string' ? text : undefined;
}

/** Bounds of a request, both ends included. Sizes in pixels. */
export const limits = {
  count: boundsOf(settings.count.unwrap()),
  steps: boundsOf(settings.steps),
  guidanceScale: boundsOf(settings.guidanceScale.unwrap()),
  size: boundsOf(settings.width),
  seed: boundsOf(settings.seed),
  promptCharacters: { min: 0, max: settings.prompt.maxLength ?? 0 },
  exactSizeFactor,
  sizeMultiple,
} as const;

function boundsOf({ minValue, maxValue }: z.ZodNumber): { min: number; max: number } {
  return { min: minValue ?? Number.NEGATIVE_INFINITY, max: maxValue ?? Number.POSITIVE_INFINITY };
}

/** Defaults of a model folder that names none (diffusers' own for PixArt-Σ). */
export const defaults = {
  sampler: settings.sampler.parse(undefined),
  guidanceScale: settings.guidanceScale.parse(undefined),
  steps: samplers[settings.sampler.parse(undefined)].steps.default,
  maxPromptTokens: 300,
} as const;

export type Size = { readonly width: number; readonly height: number };

/** A model folder as the engine found it. A damaged one stays in the list, with its reason. */
export type ModelDescription = {
  readonly name: string;
  readonly title: string;
  readonly description: string | null;
  readonly license: string | null;
  readonly available: boolean;
  /** One sentence; null where available. What follows is null (or empty) where it is not. */
  readonly unavailableReason: string | null;
  /** All networks together. */
  readonly parameters: number | null;
  /** Of the transformer's weights: `F32`, `F16` or `BF16`. */
  readonly precision: string | null;
  readonly maxPromptTokens: number | null;
  /** What it can draw by name, where the folder says so. */
  readonly vocabulary: readonly string[] | null;
  readonly defaults: ModelDefaults | null;
  /** Aspect-ratio bins, squarest first where two are as near. */
  readonly sizes: readonly Size[];
  readonly samplers: readonly Sampler[];
};

/** Enough to make the same pixels again: checksums (SHA-256, hex), versions, provider. */
export type ImageProvenance = {
  readonly modelSha256: string;
  readonly textEncoderSha256: string;
  readonly vaeSha256: string;
  /** For example `onnxruntime-node 1.30.0`. */
  readonly runtime: string;
  readonly executionProvider: string;
  readonly precision: string;
  readonly engineVersion: string;
};

/** What `generate` yields, in this order: stages, a step after each denoising step, one image at the end. */
export type EngineEvent =
  | { readonly type: 'stage'; readonly stage: Stage }
  | {
      readonly type: 'step';
      /** 1 to `steps`. */
      readonly step: number;
      readonly steps: number;
      /** The denoised estimate, only where the demand asked for one by now. */
      readonly frame: {
        readonly width: number;
        readonly height: number;
        readonly rgb: Uint8Array;
      } | null;
    }
  | {
      readonly type: 'image';
      readonly width: number;
      readonly height: number;
      /** `width * height * 3` bytes, row-major, sRGB. */
      readonly rgb: Uint8Array;
      readonly provenance: ImageProvenance;
      /** Milliseconds spent in each stage. */
      readonly timings: readonly { readonly stage: Stage; readonly milliseconds: number }[];
    };

/**
 * The engine as the rest of the program sees it; `startEngine` in `engine.ts` makes the real one.
 * Cancellation is the signal, or leaving the iteration: the engine is free after the step at hand.
 * @throws EngineFailed, OutOfMemory, ModelUnavailable out of the iteration.
 */
export type Generate = (
  request: ImageRequest,
  options: { readonly signal: AbortSignal; readonly demand?: PreviewDemand },
) => AsyncGenerator<EngineEvent, void, void>;
