import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import type { SchedulerCheckpoint } from '../checkpoints/scheduler.ts';
import { optionsWithoutInfluence, type SchedulerClass } from './scheduler-classes.ts';

/** The scheduler's configuration asks for arithmetic that is not here; guessing would draw another image. */
export class ScheduleUnsupported extends DomainError {
  constructor(expected: string, got: string) {
    super('MODEL_UNAVAILABLE', `Expected ${expected} in scheduler_config.json, but got ${got}`);
  }
}

/** The forward process x_t = √ᾱ_t·x0 + √(1−ᾱ_t)·noise, each array of `trainTimesteps` values. */
export type Schedule = {
  readonly trainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betas: Float32Array;
  /** ᾱ, the running product of 1 − β. */
  readonly alphasCumprod: Float32Array;
  /** √((1−ᾱ)/ᾱ). */
  readonly sigmas: Float32Array;
  /** Of consistency models: how many timesteps they were distilled on. */
  readonly originalSteps: number;
  readonly timestepScaling: number;
};

const optionsSchema = z.object({
  num_train_timesteps: z.int().min(1000).max(100_000).default(1000),
  beta_start: z.number().positive().lt(1),
  beta_end: z.number().positive().lt(1),
  beta_schedule: z.enum(['linear', 'scaled_linear']),
  trained_betas: z.null().default(null),
  prediction_type: z.literal('epsilon').default('epsilon'),
  rescale_betas_zero_snr: z.literal(false).nullable().default(false),
  original_inference_steps: z.int().positive().default(50),
  timestep_scaling: z.number().positive().default(10),
});

/**
 * The schedule that a scheduler of this class has with these options.
 * @throws ScheduleUnsupported naming the option, what is implemented and what is there
 */
export function createSchedule(
  { options }: Pick<SchedulerCheckpoint, 'options'>,
  { name, defaults, implemented }: SchedulerClass,
): Schedule {
  for (const [option, value] of Object.entries(options)) {
    const isKnown = option in implemented || option in optionsSchema.shape;
    const isOff = value === null || value === false;
    if (isKnown || isOff || optionsWithoutInfluence.has(option) || option.startsWith('_')) continue;
    throw new ScheduleUnsupported(`options of ${name}`, `${option}, which is none`);
  }
  for (const [option, values] of Object.entries(implemented)) {
    const given = options[option];
    const isLeftOut = given == null || (Array.isArray(given) && given.length === 0);
    const got: unknown = isLeftOut ? (defaults[option] ?? values[0]) : given;
    if (got !== undefined && !values.some((value) => value === got)) {
      const expected = `${option} ${values.join(' or ') || 'left out'} of ${name}`;
      throw new ScheduleUnsupported(expected, `${got}`);
    }
  }
  const parsed = optionsSchema.safeParse({ ...defaults, ...options });
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    const got = JSON.stringify(options[String(path[0])])?.slice(0, 100);
    throw new ScheduleUnsupported(`a usable ${path.join('.')} (${message})`, got ?? 'none');
  }
  const config = parsed.data;
  if (config.original_inference_steps > config.num_train_timesteps) {
    throw new ScheduleUnsupported(
      `original_inference_steps of at most ${config.num_train_timesteps}`,
      `${config.original_inference_steps}`,
    );
  }
  const betas = createBetas(config);
  return {
    trainTimesteps: config.num_train_timesteps,
    betaStart: config.beta_start,
    betaEnd: config.beta_end,
    betas,
    ...cumulate(betas),
    originalSteps: config.original_inference_steps,
    timestepScaling: config.timestep_scaling,
  };
}

/**
 * β and ᾱ are bit for bit what PyTorch computes in single precision (checked against
 * `torch.cumprod`, which cumulates in double and rounds each output). σ is rounded once here and
 * three times there, so that its last bit may differ.
 */
function cumulate(betas: Float32Array): Pick<Schedule, 'alphasCumprod' | 'sigmas'> {
  const alphasCumprod = new Float32Array(betas.length);
  const sigmas = new Float32Array(betas.length);
  let product = 1;
  for (let t = 0; t < betas.length; t++) {
    product *= Math.fround(1 - betas[t]!);
    alphasCumprod[t] = product;
    sigmas[t] = Math.sqrt((1 - alphasCumprod[t]!) / alphasCumprod[t]!);
  }
  return { alphasCumprod, sigmas };
}

function createBetas(config: z.output<typeof optionsSchema>): Float32Array {
  const { beta_start: start, beta_end: end, num_train_timesteps: count } = config;
  switch (config.beta_schedule) {
    case 'linear':
      return linspace(start, end, count);
    case 'scaled_linear':
      return linspace(Math.sqrt(start), Math.sqrt(end), count).map((b) => b * b);
  }
}

/** `torch.linspace` in float32: it counts from both ends, with a step rounded to single. */
function linspace(start: number, end: number, count: number): Float32Array {
  const [first, last] = [Math.fround(start), Math.fround(end)];
  const step = Math.fround(Math.fround(last - first) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) =>
    i < Math.floor(count / 2) ? first + step * i : last - step * (count - 1 - i),
  );
}
