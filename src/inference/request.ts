import { type Sampler, samplerNames, samplers } from './sampling/samplers.ts';

/**
 * What may be asked of the engine. Limits and defaults live here alone: they are checked before
 * anything is queued, and the API documents them from here.
 */

export { type Sampler, samplerNames, samplers };

/** What a running image is busy with. */
export const stages = ['LOADING_MODEL', 'ENCODING', 'DENOISING', 'DECODING', 'SAVING'] as const;
export type Stage = (typeof stages)[number];

/** `auto` takes the best that passes the self-test; any other must pass, or the start fails. */
export const providers = ['auto', 'cpu', 'webgpu', 'cuda'] as const;
export type Provider = (typeof providers)[number];

/** Bounds of a request, both ends included. Sizes in pixels. */
export const limits = {
  count: { min: 1, max: 8 },
  steps: {
    min: Math.min(...samplerNames.map((name) => samplers[name].steps.min)),
    max: Math.max(...samplerNames.map((name) => samplers[name].steps.max)),
  },
  guidanceScale: { min: 0, max: 30 },
  /** Fractions of the way between which guidance acts. */
  guidance: { min: 0, max: 1 },
  size: { min: 64, max: 4096 },
  /** An exact size has at most this many times the pixels of the model's largest one. */
  exactSizeFactor: 4,
  /** The VAE's factor 8 times the patch size 2. */
  sizeMultiple: 16,
  /** Noise is seeded by any whole number a double holds exactly. */
  seed: { min: 0, max: Number.MAX_SAFE_INTEGER },
  /** Characters; the tokenizer cuts at the model's own number of tokens. */
  promptCharacters: { min: 0, max: 8000 },
} as const;

/** Defaults of a model folder that names none (diffusers' own for PixArt-Σ). */
export const defaults = {
  steps: samplers.DPMPP_2M.steps.default,
  guidanceScale: 4.5,
  guidanceStart: 0,
  guidanceEnd: 1,
  sampler: 'DPMPP_2M',
  cleanCaption: true,
  maxPromptTokens: 300,
} as const satisfies { sampler: Sampler } & Record<string, unknown>;

/** One image. Everything that its pixels depend on, complete: nothing is filled in further down. */
export type ImageRequest = {
  /** Name of the model folder. */
  readonly model: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  /** Normalise both prompts as the training captions were. */
  readonly cleanCaption: boolean;
  /** Pixels, multiples of 16. */
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  /** 1 and below: no guidance, and half the work. */
  readonly guidanceScale: number;
  readonly guidanceStart: number;
  readonly guidanceEnd: number;
  readonly sampler: Sampler;
  /** Whole, 0 to 2^53 − 1. */
  readonly seed: number;
  /** Turns alternate between shares; opaque here. */
  readonly share: string;
};

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
  readonly defaults:
    | (Size & { readonly steps: number; readonly guidanceScale: number; readonly sampler: Sampler })
    | null;
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
 * Whether, and how often, anybody wants frames of an image. Lies in memory that the engine's thread
 * reads at the end of each step: asking costs nothing, and nobody asking costs nothing either.
 */
export type PreviewDemand = {
  /** [0]: 0 for none, else 1 + the least number of milliseconds between frames. */
  readonly cell: Int32Array;
};

export function createPreviewDemand(): PreviewDemand {
  return { cell: new Int32Array(new SharedArrayBuffer(4)) };
}

/** `everyMs` null: nobody watches. */
export function setPreviewDemand(demand: PreviewDemand, everyMs: number | null): void {
  Atomics.store(demand.cell, 0, everyMs === null ? 0 : Math.max(0, Math.trunc(everyMs)) + 1);
}

/**
 * The engine as the rest of the program sees it; `startEngine` in `engine.ts` makes the real one.
 * Cancellation is the signal, or leaving the iteration: the engine is free after the step at hand.
 * @throws EngineFailed, OutOfMemory, ModelUnavailable out of the iteration.
 */
export type Generate = (
  request: ImageRequest,
  options: { readonly signal: AbortSignal; readonly demand?: PreviewDemand },
) => AsyncGenerator<EngineEvent, void, void>;
