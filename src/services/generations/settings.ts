import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Mismatch } from '../../errors.ts';
import {
  type AskedSettings,
  bareType,
  exactSizeFactor,
  fixedDefault,
  type GenerationSettings,
  generationSettings,
  limits,
  type ModelDescription,
  type Sampler,
  type SettingName,
  type Size,
  samplerNames,
  samplers,
  settingNames,
  sizeMultiple,
  standardOf,
} from '../../inference/request.ts';
import { nearestBin } from '../../inference/resolution.ts';
import { printable } from '../../printable.ts';
import { numberProblems } from '../input/number.ts';
import { textProblems } from '../input/text.ts';

/** Where the models come from that complete the settings. */
export type Models = {
  readonly models: readonly ModelDescription[];
  readonly defaultModel: string;
};

/** Everything that is wrong with the settings, at most one problem for each of them. */
export function settingsProblems(input: AskedSettings, models: Models): Mismatch[] {
  const alone = settingNames.flatMap((name) => problemsOf(name, input[name]));
  const paths = new Set(alone.map(({ path }) => path.join('.')));
  const together = [...guidanceProblems(input), ...modelProblems(input, models)];
  return [...alone, ...together.filter(({ path }) => !paths.has(path.join('.')))];
}

function guidanceProblems({ guidanceStart, guidanceEnd }: AskedSettings): Mismatch[] {
  const start = guidanceStart ?? fixed('guidanceStart');
  const end = guidanceEnd ?? fixed('guidanceEnd');
  const hint = ', not below guidanceStart';
  return numberProblems(at('guidanceEnd'), end, { min: start, max: 1 }, { whole: false, hint });
}

/** What only the model can say: whether there is one, and its samplers, steps and sizes. */
function modelProblems(input: AskedSettings, { models, defaultModel }: Models): Mismatch[] {
  const name = input.model ?? defaultModel;
  const model = models.find((known) => known.name === name);
  if (model === undefined) {
    return [{ path: at('model'), expected: `one of ${namesOf(models)}`, got: name }];
  }
  if (!model.available) return [unusable(model)];
  const sampler = samplerOf(input, model);
  const hint = ` with ${sampler}`;
  return [
    ...samplerProblems(sampler, model),
    ...numberProblems(at('steps'), input.steps, samplers[sampler].steps, { hint }),
    ...sizeProblems(input, model),
    ...seedProblems(input),
  ];
}

/**
 * Every default filled in, the size snapped, the seed fixed. Only of an input that has no problems.
 */
export function completeSettings(
  input: AskedSettings,
  { models, defaultModel }: Models,
): GenerationSettings {
  const name = input.model ?? defaultModel;
  const model = models.find((known) => known.name === name)!;
  const sampler = samplerOf(input, model);
  const count = input.count ?? fixed('count');
  const given = Object.entries(input).filter(([, value]) => value != null);
  return generationSettings.parse({
    ...model.defaults,
    seed: randomSeed(limits.seed.max - (count - 1)),
    ...Object.fromEntries(given),
    model: name,
    ...completeSize(input, model),
    steps: input.steps ?? defaultSteps(model, sampler),
  });
}

function problemsOf(name: SettingName, value: unknown): Mismatch[] {
  if (value == null) return [];
  const type = bareType(name);
  if (type instanceof z.ZodNumber && (typeof value === 'number' || typeof value === 'string')) {
    const { minValue, maxValue, isInt } = type;
    const range = { min: minValue ?? -Infinity, max: maxValue ?? Infinity };
    const standard = standardOf(name);
    const hint = standard === undefined ? '' : ` (left out: ${standard})`;
    return numberProblems(at(name), value, range, { whole: isInt, hint });
  }
  if (type instanceof z.ZodString && typeof value === 'string') {
    const limit = { min: type.minLength ?? 0, max: type.maxLength ?? Infinity };
    return textProblems(at(name), value, limit);
  }
  if (type.safeParse(value).success) return [];
  const expected = type instanceof z.ZodEnum ? `one of ${type.options.join(', ')}` : type.type;
  return [{ path: at(name), expected, got: String(value) }];
}

/** For a message: folders may have any name, and there may be many. */
function namesOf(models: readonly ModelDescription[]): string {
  const names = models.slice(0, namesShown).map(({ name }) => printable(name));
  const rest = models.length - names.length;
  return names.join(', ') + (rest > 0 ? ` or ${rest} others (see \`models\`)` : '');
}

const namesShown = 10;

function unusable({ name, unavailableReason }: ModelDescription): Mismatch {
  const reason = unavailableReason ?? 'it cannot be loaded';
  const got = { phrase: `"${name}": ${reason}` };
  return { path: at('model'), code: 'MODEL_UNAVAILABLE', expected: 'a usable model', got };
}

function samplerOf(input: AskedSettings, model: ModelDescription): Sampler {
  const usual = model.defaults?.sampler ?? fixed('sampler');
  return samplerNames.find((name) => name === input.sampler) ?? usual;
}

function samplerProblems(sampler: Sampler, model: ModelDescription): Mismatch[] {
  if (model.samplers.includes(sampler)) return [];
  const expected = `one of ${model.samplers.join(', ')} with the model "${model.name}"`;
  return [{ path: at('sampler'), expected, got: sampler }];
}

function sizeProblems(input: AskedSettings, model: ModelDescription): Mismatch[] {
  if (!input.exactSize) return [];
  const size = askedSize(input, model);
  const sides = (['width', 'height'] as const).filter((side) => size[side] % sizeMultiple !== 0);
  if (sides.length > 0) {
    const expected = `a multiple of ${sizeMultiple} with exactSize`;
    return sides.map((side) => ({ path: at(side), expected, got: size[side] }));
  }
  const largest = Math.max(...model.sizes.map(({ width, height }) => width * height));
  const max = exactSizeFactor * largest;
  const pixels = size.width * size.height;
  if (pixels <= max) return [];
  const expected = `width times height of at most ${max} with exactSize for the model "${model.name}" (${exactSizeFactor} times its largest size)`;
  const got = { phrase: `${size.width} x ${size.height}`, value: pixels };
  return [{ path: at('width'), expected, got, max }];
}

/** Image i has the seed plus i, which must be a seed, too. */
function seedProblems({ seed, count }: AskedSettings): Mismatch[] {
  const images = count ?? fixed('count');
  const range = { ...limits.seed, max: limits.seed.max - (images - 1) };
  return numberProblems(at('seed'), seed, range, { hint: ` for ${images} images` });
}

function askedSize(input: AskedSettings, { defaults, sizes }: ModelDescription): Size {
  const usual = defaults ?? sizes[0] ?? { width: limits.size.min, height: limits.size.min };
  return { width: input.width ?? usual.width, height: input.height ?? usual.height };
}

/** The one correction of input that there is: to the nearest size that the model was trained on. */
function completeSize(input: AskedSettings, model: ModelDescription): Size {
  const size = askedSize(input, model);
  if (input.exactSize) return size;
  const { width, height } = nearestBin(model.sizes, size.width, size.height);
  return { width, height };
}

function defaultSteps(model: ModelDescription, sampler: Sampler): number {
  const { max, default: usual } = samplers[sampler].steps;
  return Math.min(model.defaults?.steps ?? usual, max);
}

/** Even over 0 to 2^53 − 1, but for the last few, where a whole generation would not fit. */
function randomSeed(max: number): number {
  const seed = Number(randomBytes(8).readBigUInt64BE() >> 11n);
  return Math.min(seed, max);
}

/** The default of a setting that has a fixed one. */
function fixed<Name extends SettingName>(name: Name): GenerationSettings[Name] {
  return fixedDefault(name) as GenerationSettings[Name];
}

function at(name: SettingName): readonly string[] {
  return ['settings', name];
}
