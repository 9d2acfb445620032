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
  const isAlone = ({ path }: Mismatch) => alone.some((other) => isSamePath(path, other.path));
  // Several settings together may leave less than each one by itself, but a side out of its range is nothing to snap.
  const together = [
    ...guidanceProblems(input),
    ...seedProblems(input),
    ...modelProblems(input, models),
  ].filter((problem) => !isSide(problem) || !isAlone(problem));
  const isTogether = ({ path }: Mismatch) => together.some((other) => isSamePath(path, other.path));
  const all = [...alone.filter((problem) => !isTogether(problem)), ...together];
  return settingNames.flatMap((name) => all.filter(({ path }) => path[1] === name));
}

function isSamePath(a: readonly string[], b: readonly string[]): boolean {
  return a.join('.') === b.join('.');
}

function isSide({ path }: Mismatch): boolean {
  return path.at(-1) === 'width' || path.at(-1) === 'height';
}

function guidanceProblems({ guidanceStart, guidanceEnd }: AskedSettings): Mismatch[] {
  const start = guidanceStart ?? fixed('guidanceStart');
  if (problemsOf('guidanceStart', start).length > 0) return []; // Nothing to compare with.
  const end = guidanceEnd ?? fixed('guidanceEnd');
  const hint = ', not below guidanceStart';
  return numberProblems(at('guidanceEnd'), end, { min: start, max: 1 }, { whole: false, hint });
}

/** What depends on the model: whether there is one, its samplers, steps and sizes. */
function modelProblems(input: AskedSettings, { models, defaultModel }: Models): Mismatch[] {
  const name = input.model ?? defaultModel;
  const model = models.find((known) => known.name === name);
  if (!model?.available) {
    const problem = model ? unusable(model) : unknown(name, models);
    // The rest is found out as far as the model does not matter.
    return [problem, ...stepsProblems(input, samplerNamed(input)), ...sideProblems(input)];
  }
  const sampler = samplerOf(input, model);
  const sides = sideProblems(askedSize(input, model), input.exactSize);
  return [
    ...samplerProblems(sampler, model),
    ...stepsProblems(input, sampler),
    ...(sides.length > 0 ? sides : areaProblems(input, model)),
  ];
}

function stepsProblems({ steps }: AskedSettings, sampler: Sampler | undefined): Mismatch[] {
  if (sampler === undefined) return [];
  return numberProblems(at('steps'), steps, samplers[sampler].steps, { hint: ` with ${sampler}` });
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

function unknown(name: string, models: readonly ModelDescription[]): Mismatch {
  return { path: at('model'), expected: `one of ${namesOf(models)}`, got: name };
}

function samplerNamed(input: AskedSettings): Sampler | undefined {
  return samplerNames.find((name) => name === input.sampler);
}

function samplerOf(input: AskedSettings, model: ModelDescription): Sampler {
  return samplerNamed(input) ?? model.defaults?.sampler ?? fixed('sampler');
}

function samplerProblems(sampler: Sampler, model: ModelDescription): Mismatch[] {
  if (model.samplers.includes(sampler)) return [];
  const expected = `one of ${model.samplers.join(', ')} with the model "${model.name}"`;
  return [{ path: at('sampler'), expected, got: sampler }];
}

/** Of the sides that are given. */
function sideProblems(
  size: Pick<AskedSettings, 'width' | 'height' | 'exactSize'>,
  isExact = size.exactSize,
): Mismatch[] {
  if (!isExact) return [];
  const expected = `a multiple of ${sizeMultiple} with exactSize`;
  return (['width', 'height'] as const).flatMap((side) => {
    const got = size[side];
    return got == null || got % sizeMultiple === 0 ? [] : [{ path: at(side), expected, got }];
  });
}

function areaProblems(input: AskedSettings, model: ModelDescription): Mismatch[] {
  if (!input.exactSize) return [];
  const size = askedSize(input, model);
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
  if (problemsOf('count', images).length > 0) return []; // Nothing to count with.
  const range = { ...limits.seed, max: limits.seed.max - (images - 1) };
  return numberProblems(at('seed'), seed, range, {
    hint: images === 1 ? ' (left out: a random one)' : ` for ${images} images`,
  });
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
