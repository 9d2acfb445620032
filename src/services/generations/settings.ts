import { randomBytes } from 'node:crypto';
import { DomainError } from '../../errors.ts';
import {
  defaults,
  limits,
  type ModelDescription,
  type Sampler,
  type Size,
  samplers,
} from '../../inference/request.ts';
import { nearestBin } from '../../inference/resolution.ts';
import { checkText } from '../input/text.ts';

/** What a client asks for. Left out and null are the same: the model's default. */
export type SettingsInput = {
  readonly prompt: string;
  readonly negativePrompt?: string | null;
  readonly cleanCaption?: boolean | null;
  readonly model?: string | null;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly exactSize?: boolean | null;
  readonly steps?: number | null;
  readonly guidanceScale?: number | null;
  readonly guidanceStart?: number | null;
  readonly guidanceEnd?: number | null;
  readonly sampler?: Sampler | null;
  readonly seed?: number | null;
  readonly count?: number | null;
};

/** The settings as columns of a row, complete. */
export type Settings = {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly cleanCaption: boolean;
  readonly model: string;
  readonly width: number;
  readonly height: number;
  readonly exactSize: boolean;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly guidanceStart: number;
  readonly guidanceEnd: number;
  readonly sampler: Sampler;
  readonly seed: number;
  readonly count: number;
};

export class OutOfRange extends DomainError {
  constructor(path: readonly string[], { min, max }: Range, got: number) {
    super('BAD_USER_INPUT', `Expected ${path.join('.')} from ${min} to ${max}, but got ${got}`, {
      path,
      min,
      max,
      got,
    });
  }
}

export class NotWhole extends DomainError {
  constructor(path: readonly string[], got: number) {
    super('BAD_USER_INPUT', `Expected ${path.join('.')} to be a whole number, but got ${got}`, {
      path,
      got,
    });
  }
}

export class BadSizeMultiple extends DomainError {
  constructor(path: readonly string[], got: number) {
    super(
      'BAD_USER_INPUT',
      `Expected ${path.join('.')} to be a multiple of ${limits.sizeMultiple} with exactSize, but got ${got}`,
      { path, got },
    );
  }
}

export class TooManyPixels extends DomainError {
  constructor({ width, height }: Size, model: ModelDescription, max: number) {
    super(
      'BAD_USER_INPUT',
      `Expected settings.width times settings.height of at most ${max} with exactSize for the model "${model.name}" (${limits.exactSizeFactor} times its largest size), but got ${width} x ${height}`,
      { path: ['settings', 'width'], max, got: width * height },
    );
  }
}

export class GuidanceEndsBeforeStart extends DomainError {
  constructor(start: number, end: number) {
    super(
      'BAD_USER_INPUT',
      `Expected settings.guidanceEnd of at least guidanceStart (${start}), but got ${end}`,
      { path: ['settings', 'guidanceEnd'], min: start, max: limits.guidance.max, got: end },
    );
  }
}

export class UnknownModel extends DomainError {
  constructor(got: string, names: readonly string[]) {
    super(
      'BAD_USER_INPUT',
      `Expected settings.model to be one of ${names.join(', ')}, but got "${got.slice(0, 100)}"`,
      { path: ['settings', 'model'], got: got.slice(0, 100) },
    );
  }
}

export class UnusableModel extends DomainError {
  constructor(name: string, reason: string | null) {
    super(
      'MODEL_UNAVAILABLE',
      `Expected a usable model, but got "${name}": ${reason ?? 'it cannot be loaded'}`,
      { path: ['settings', 'model'] },
    );
  }
}

export class SamplerNotOffered extends DomainError {
  constructor(sampler: Sampler, model: ModelDescription) {
    super(
      'BAD_USER_INPUT',
      `Expected settings.sampler to be one of ${model.samplers.join(', ')} for the model "${model.name}", but got ${sampler}`,
      { path: ['settings', 'sampler'], got: sampler },
    );
  }
}

type Range = { readonly min: number; readonly max: number };

/** What can be said without knowing the models. @throws DomainError with the path of the field */
export function checkSettings(input: SettingsInput): void {
  checkText(at('prompt'), input.prompt, limits.promptCharacters);
  checkText(at('negativePrompt'), input.negativePrompt ?? '', limits.promptCharacters);
  checkWhole(at('width'), input.width, limits.size);
  checkWhole(at('height'), input.height, limits.size);
  checkWhole(at('steps'), input.steps, limits.steps);
  checkWhole(at('count'), input.count, limits.count);
  checkWhole(at('seed'), input.seed, limits.seed);
  checkRange(at('guidanceScale'), input.guidanceScale, limits.guidanceScale);
  checkRange(at('guidanceStart'), input.guidanceStart, limits.guidance);
  checkRange(at('guidanceEnd'), input.guidanceEnd, limits.guidance);
}

/**
 * Every default filled in, the size snapped, the seed fixed.
 * @throws UnknownModel, UnusableModel, SamplerNotOffered, TooManyPixels, and what else a model narrows
 */
export function completeSettings(
  input: SettingsInput,
  models: readonly ModelDescription[],
  defaultModel: string,
): Settings {
  const model = usableModel(input.model ?? defaultModel, models);
  const sampler = input.sampler ?? model.defaults?.sampler ?? defaults.sampler;
  if (!model.samplers.includes(sampler)) throw new SamplerNotOffered(sampler, model);
  const count = input.count ?? 1;
  const seed = input.seed ?? randomSeed(limits.seed.max - (count - 1));
  checkRange(at('seed'), seed, { min: limits.seed.min, max: limits.seed.max - (count - 1) });
  return {
    prompt: input.prompt,
    negativePrompt: input.negativePrompt ?? '',
    cleanCaption: input.cleanCaption ?? defaults.cleanCaption,
    model: model.name,
    ...completeSize(input, model),
    steps: completeSteps(input, model, sampler),
    guidanceScale: input.guidanceScale ?? model.defaults?.guidanceScale ?? defaults.guidanceScale,
    ...completeGuidance(input),
    sampler,
    seed,
    count,
  };
}

function usableModel(name: string, models: readonly ModelDescription[]): ModelDescription {
  const model = models.find((known) => known.name === name);
  if (model === undefined) {
    const names = models.map((known) => known.name);
    throw new UnknownModel(name, names);
  }
  if (!model.available) throw new UnusableModel(name, model.unavailableReason);
  return model;
}

/** The one correction of input that there is: to the nearest size that the model was trained on. */
function completeSize(
  input: SettingsInput,
  model: ModelDescription,
): Size & { exactSize: boolean } {
  const width = input.width ?? model.defaults?.width ?? model.sizes[0]?.width ?? limits.size.min;
  const height = input.height ?? model.defaults?.height ?? model.sizes[0]?.height ?? width;
  if (!input.exactSize)
    return { ...pixels(nearestBin(model.sizes, width, height)), exactSize: false };
  if (width % limits.sizeMultiple !== 0) throw new BadSizeMultiple(at('width'), width);
  if (height % limits.sizeMultiple !== 0) throw new BadSizeMultiple(at('height'), height);
  const largest = Math.max(...model.sizes.map((size) => size.width * size.height));
  const maxPixels = limits.exactSizeFactor * largest;
  if (width * height > maxPixels) throw new TooManyPixels({ width, height }, model, maxPixels);
  return { width, height, exactSize: true };
}

function pixels({ width, height }: Size): Size {
  return { width, height };
}

function completeSteps(input: SettingsInput, model: ModelDescription, sampler: Sampler): number {
  const range = samplers[sampler].steps;
  if (input.steps == null) return Math.min(model.defaults?.steps ?? defaults.steps, range.max);
  checkRange(at('steps'), input.steps, range);
  return input.steps;
}

function completeGuidance(input: SettingsInput): { guidanceStart: number; guidanceEnd: number } {
  const guidanceStart = input.guidanceStart ?? defaults.guidanceStart;
  const guidanceEnd = input.guidanceEnd ?? defaults.guidanceEnd;
  if (guidanceEnd < guidanceStart) throw new GuidanceEndsBeforeStart(guidanceStart, guidanceEnd);
  return { guidanceStart, guidanceEnd };
}

/** Even over 0 to 2^53 − 1, but for the last few, where a whole generation would not fit. */
function randomSeed(max: number): number {
  const seed = Number(randomBytes(8).readBigUInt64BE() >> 11n);
  return Math.min(seed, max);
}

/** @throws OutOfRange; NaN and infinities too */
export function checkRange(
  path: readonly string[],
  value: number | null | undefined,
  range: Range,
): void {
  if (value == null) return;
  if (!(value >= range.min && value <= range.max)) throw new OutOfRange(path, range, value);
}

/** @throws OutOfRange, NotWhole */
export function checkWhole(
  path: readonly string[],
  value: number | null | undefined,
  range: Range,
): void {
  checkRange(path, value, range);
  if (value != null && !Number.isInteger(value)) throw new NotWhole(path, value);
}

function at(field: keyof SettingsInput): readonly string[] {
  return ['settings', field];
}
