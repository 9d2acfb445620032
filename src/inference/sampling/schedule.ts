import { z } from 'zod';
import { DomainError } from '../../errors.ts';

/** The scheduler's configuration asks for arithmetic that is not here; guessing would draw another picture. */
export class ScheduleUnsupported extends DomainError {
  constructor(expected: string, got: string, options?: ErrorOptions) {
    super(
      'MODEL_UNAVAILABLE',
      `Expected ${expected} in scheduler_config.json, but got ${got}`,
      {},
      options,
    );
  }
}

const shape = z.object({
  _class_name: z.string().default('DPMSolverMultistepScheduler'),
  num_train_timesteps: z.number().int().min(2).max(100_000).default(1000),
  beta_start: z.number().positive().lt(1).default(0.0001),
  beta_end: z.number().positive().lt(1).default(0.02),
  beta_schedule: z.string().default('linear'),
  trained_betas: z.null().default(null),
  prediction_type: z.string().default('epsilon'),
  original_inference_steps: z.number().int().positive().default(50),
  timestep_scaling: z.number().positive().default(10),
  rescale_betas_zero_snr: z.boolean().default(false),
  // What follows bends the solver's own times. Only diffusers' DPM-Solver class reads it.
  algorithm_type: z.string().default('dpmsolver++'),
  solver_order: z.number().default(2),
  solver_type: z.string().default('midpoint'),
  timestep_spacing: z.string().nullable().default(null),
  final_sigmas_type: z.string().nullable().default('zero'),
  thresholding: z.boolean().nullable().default(false),
  use_karras_sigmas: z.boolean().nullable().default(false),
  use_exponential_sigmas: z.boolean().nullable().default(false),
  use_beta_sigmas: z.boolean().nullable().default(false),
  use_flow_sigmas: z.boolean().nullable().default(false),
  use_lu_lambdas: z.boolean().nullable().default(false),
  euler_at_final: z.boolean().nullable().default(false),
});

export type ScheduleConfig = {
  /** diffusers' class, for example `DPMSolverMultistepScheduler`: it names the sampler meant. */
  readonly className: string;
  readonly trainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: 'linear' | 'scaled_linear';
  /** Of consistency models: how many timesteps they were distilled on. */
  readonly originalSteps: number;
  readonly timestepScaling: number;
};

/**
 * `scheduler_config.json` as text. Python writes `-Infinity` and `NaN` bare, which JSON forbids:
 * outside strings they are read as null (no released field that is used here holds one).
 * @throws ScheduleUnsupported
 */
export function parseConfig(text: string): ScheduleConfig {
  const json = text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/gs, (token) =>
    token.startsWith('"') ? token : 'null',
  );
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new ScheduleUnsupported('JSON', 'text that is none', { cause });
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    const problem = parsed.error.issues[0];
    const field = problem?.path.join('.') || 'an object';
    throw new ScheduleUnsupported(`a valid ${field}`, problem?.message ?? 'something else');
  }
  const config = parsed.data;
  const { beta_schedule: betaSchedule } = config;
  if (betaSchedule !== 'linear' && betaSchedule !== 'scaled_linear') {
    throw new ScheduleUnsupported('beta_schedule linear or scaled_linear', betaSchedule);
  }
  if (config.prediction_type !== 'epsilon') {
    throw new ScheduleUnsupported('prediction_type epsilon', config.prediction_type);
  }
  if (config.rescale_betas_zero_snr) {
    throw new ScheduleUnsupported('rescale_betas_zero_snr false', 'true');
  }
  if (config._class_name.startsWith('DPMSolver')) {
    const supported = {
      algorithm_type: ['dpmsolver++'],
      solver_order: [2],
      solver_type: ['midpoint'],
      timestep_spacing: [null, 'linspace'],
      final_sigmas_type: [null, 'zero'],
      thresholding: [null, false],
      use_karras_sigmas: [null, false],
      use_exponential_sigmas: [null, false],
      use_beta_sigmas: [null, false],
      use_flow_sigmas: [null, false],
      use_lu_lambdas: [null, false],
    } satisfies Partial<Record<keyof typeof config, readonly unknown[]>>;
    for (const [field, values] of Object.entries(supported)) {
      const got = config[field as keyof typeof supported];
      if (!(values as readonly unknown[]).includes(got)) {
        throw new ScheduleUnsupported(`${field} ${values.at(-1)}`, String(got));
      }
    }
  }
  return {
    className: config._class_name,
    trainTimesteps: config.num_train_timesteps,
    betaStart: config.beta_start,
    betaEnd: config.beta_end,
    betaSchedule,
    originalSteps: config.original_inference_steps,
    timestepScaling: config.timestep_scaling,
  };
}

/** The forward process x_t = √ᾱ_t·x0 + √(1−ᾱ_t)·noise, each array of `trainTimesteps` values. */
export type Schedule = ScheduleConfig & {
  readonly betas: Float32Array;
  /** ᾱ, the running product of 1 − β. */
  readonly alphasCumprod: Float32Array;
  /** √((1−ᾱ)/ᾱ). */
  readonly sigmas: Float32Array;
};

/** Bit for bit what PyTorch computes in single precision (checked against `torch.cumprod`). */
export function createSchedule(config: ScheduleConfig): Schedule {
  const betas = createBetas(config);
  const alphasCumprod = new Float32Array(betas.length);
  const sigmas = new Float32Array(betas.length);
  let product = 1; // PyTorch cumulates in double and rounds each output.
  for (let t = 0; t < betas.length; t++) {
    product *= Math.fround(1 - betas[t]!);
    alphasCumprod[t] = product;
    sigmas[t] = Math.sqrt((1 - alphasCumprod[t]!) / alphasCumprod[t]!);
  }
  return { ...config, betas, alphasCumprod, sigmas };
}

function createBetas({ trainTimesteps, betaStart, betaEnd, betaSchedule }: ScheduleConfig) {
  switch (betaSchedule) {
    case 'linear':
      return linspace(betaStart, betaEnd, trainTimesteps);
    case 'scaled_linear':
      return linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainTimesteps).map((b) => b * b);
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
