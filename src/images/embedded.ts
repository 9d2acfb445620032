import { z } from 'zod';
import { readMetadata } from './metadata.ts';
import { isPng, readTexts } from './png.ts';

/** Settings that a program has written into a PNG; null where it says nothing of one. */
export type EmbeddedSettings = {
  /** For example `Easel 0.1.0`, or the program whose form it is. */
  readonly software: string | null;
  readonly prompt: string | null;
  readonly negativePrompt: string | null;
  readonly model: string | null;
  readonly seed: number | null;
  readonly steps: number | null;
  readonly guidanceScale: number | null;
  /** As the program calls it. */
  readonly sampler: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** What was read, cut off behind `rawLength` characters. */
  readonly raw: string;
};

const rawLength = 10_000;
const nothing = {
  ...{ software: null, prompt: null, negativePrompt: null, model: null, seed: null, steps: null },
  ...{ guidanceScale: null, sampler: null, width: null, height: null },
};

/**
 * As Easel, AUTOMATIC1111 and its relatives (`parameters`), InvokeAI (`invokeai_metadata`) and ComfyUI (`prompt`) write them.
 * Null where there are none; what is malformed counts as not there.
 */
export function readEmbedded(bytes: Uint8Array): EmbeddedSettings | null {
  if (!isPng(bytes)) return null;
  const { easel } = readMetadata(bytes);
  if (easel) {
    const { software, settings } = easel;
    return bounded({ ...nothing, ...settings, software, raw: JSON.stringify(easel) });
  }
  const texts = readTexts(bytes);
  const invoke = texts.get('invokeai_metadata');
  const parameters = texts.get('parameters');
  const comfy = texts.get('prompt');
  return (
    (invoke && fromInvoke(invoke)) ||
    (parameters && fromParameters(parameters)) ||
    (comfy && fromComfy(comfy)) ||
    null
  );
}

const text = z.string().nullish().catch(null);
const number = z.number().nullish().catch(null);
const invokeShape = z.object({
  ...{ positive_prompt: text, negative_prompt: text, scheduler: text, app_version: text },
  ...{ seed: number, steps: number, cfg_scale: number, width: number, height: number },
  model: z.object({ name: text }).nullish().catch(null),
});

function fromInvoke(raw: string): EmbeddedSettings | null {
  const parsed = invokeShape.safeParse(json(raw));
  if (!parsed.success) return null;
  const { positive_prompt: prompt, negative_prompt: negativePrompt, scheduler } = parsed.data;
  const { app_version: version, cfg_scale: guidanceScale, model, ...rest } = parsed.data;
  return bounded({
    ...{ ...nothing, raw, software: version ? `InvokeAI ${version}` : 'InvokeAI' },
    ...{ prompt: prompt ?? null, negativePrompt: negativePrompt ?? null },
    ...{ sampler: scheduler ?? null, guidanceScale: guidanceScale ?? null },
    ...{ seed: rest.seed ?? null, steps: rest.steps ?? null },
    ...{ width: rest.width ?? null, height: rest.height ?? null, model: model?.name ?? null },
  });
}

/** Prompt, `Negative prompt:` and a last line of `Name: value, …`; values with commas are in quotation marks. */
function fromParameters(raw: string): EmbeddedSettings | null {
  const lines = raw.trim().split('\n');
  const last = lines.at(-1) ?? '';
  if (!/^Steps: \d/.test(last)) return bounded({ ...nothing, prompt: raw, raw });
  const values = new Map<string, string>();
  for (const [, name = '', value = ''] of last.matchAll(
    /([\w ]{1,40}): ("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g,
  )) {
    values.set(name.trim(), value);
  }
  const words = lines.slice(0, -1).join('\n');
  const [prompt = '', negative] = words.split(/^Negative prompt: /m, 2);
  const [, width, height] = /^(\d+)x(\d+)$/.exec(values.get('Size') ?? '') ?? [];
  const numberOf = (value: string | undefined) => (value === undefined ? null : Number(value));
  return bounded({
    ...{ software: values.get('Version') ?? null, raw },
    ...{ prompt: prompt.trim(), negativePrompt: negative?.trim() ?? null },
    ...{ model: values.get('Model') ?? null, sampler: values.get('Sampler') ?? null },
    ...{ seed: numberOf(values.get('Seed')), steps: numberOf(values.get('Steps')) },
    ...{ guidanceScale: numberOf(values.get('CFG scale')) },
    ...{ width: numberOf(width), height: numberOf(height) },
  });
}

const comfyShape = z.record(
  z.string(),
  z.object({ class_type: z.string(), inputs: z.record(z.string(), z.unknown()).catch({}) }),
);

/** A graph of nodes: the first sampler, and what leads into it. */
function fromComfy(raw: string): EmbeddedSettings | null {
  const parsed = comfyShape.safeParse(json(raw));
  if (!parsed.success) return null;
  const nodes = parsed.data;
  const sampler = Object.values(nodes).find(({ class_type }) => class_type.startsWith('KSampler'));
  if (sampler === undefined) return bounded({ ...nothing, software: 'ComfyUI', raw });
  const { inputs } = sampler;
  const into = (name: string) => {
    const link = inputs[name];
    const id = Array.isArray(link) ? String(link[0]) : '';
    return Object.hasOwn(nodes, id) ? nodes[id]?.inputs : undefined;
  };
  const checkpoint = Object.values(nodes).find(({ class_type }) =>
    /CheckpointLoader/.test(class_type),
  );
  return bounded({
    ...{ software: 'ComfyUI', raw, prompt: stringOf(into('positive')?.['text']) },
    negativePrompt: stringOf(into('negative')?.['text']),
    model: stringOf(checkpoint?.inputs['ckpt_name']),
    ...{ seed: numberIn(inputs['seed'] ?? inputs['noise_seed']), steps: numberIn(inputs['steps']) },
    ...{ guidanceScale: numberIn(inputs['cfg']), sampler: stringOf(inputs['sampler_name']) },
    width: numberIn(into('latent_image')?.['width']),
    height: numberIn(into('latent_image')?.['height']),
  });
}

/** What cannot be stored or shown is as good as not there; other programs write a random seed as -1. */
function bounded(found: EmbeddedSettings): EmbeddedSettings {
  const words = (value: string | null) => value && clean(value).slice(0, rawLength);
  const whole = (value: number | null, min: number) =>
    value !== null && Number.isSafeInteger(value) && value >= min ? value : null;
  const { guidanceScale } = found;
  const isScale = guidanceScale !== null && Number.isFinite(guidanceScale);
  return {
    ...{ software: words(found.software), prompt: words(found.prompt) },
    ...{ negativePrompt: words(found.negativePrompt), model: words(found.model) },
    ...{ seed: whole(found.seed, 0), steps: whole(found.steps, 1) },
    ...{ guidanceScale: isScale ? guidanceScale : null, sampler: words(found.sampler) },
    ...{ width: whole(found.width, 1), height: whole(found.height, 1) },
    raw: clean(found.raw).slice(0, rawLength),
  };
}

/** Without what a database cannot store. */
function clean(value: string): string {
  return value.replace(/\0|\p{Surrogate}/gu, '');
}

function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function json(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}
