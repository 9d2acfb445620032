import { DomainError } from '../../errors.ts';
import { addNoise, consistencyPoints, distilledPoints, evenPoints, type Point } from './points.ts';
import type { Schedule } from './schedule.ts';

/** The model as a sampler sees it: noisy latents and their point in, the estimate of the clean latents x0 out. */
export type Denoise = (latents: Float32Array, at: Point) => Promise<Float32Array>;

/** After one step. The arrays are new at each step and belong to the receiver to read. */
export type SampleStep = {
  /** The estimate of the clean latents x0 that this step was made from: what a preview shows. */
  readonly denoised: Float32Array;
  /** The latents after the step; after the last one, the result. */
  readonly latents: Float32Array;
};

export type SampleOptions = {
  /** The latents at `points[0]`: noise alone where an image is made from text. Not written to. */
  readonly latents: Float32Array;
  /** From noisy to clean, one more than there are steps. */
  readonly points: readonly Point[];
  readonly schedule: Schedule;
  readonly denoise: Denoise;
  /** Fresh N(0, 1) noise that a sampler adds after step `step` (1, 2, …); the same for the same step. */
  readonly noise: (step: number) => Float32Array;
};

type Steps = AsyncGenerator<SampleStep, void, void>;

/** All that the program knows of a sampler. */
type SamplerRow = {
  /** The name that other programs have for it. */
  readonly title: string;
  /** For the API: a sentence without its full stop. */
  readonly description: string;
  /** How many steps it can take, and takes where nothing says otherwise. */
  readonly steps: { readonly min: number; readonly max: number; readonly default: number };
  /** False: guidance is built into the distilled weights, and the denoiser runs once for each step. */
  readonly usesGuidance: boolean;
  /** diffusers' classes whose models it is for. */
  readonly schedulers: readonly string[];
  readonly points: (schedule: Schedule, steps: number) => Point[];
  /** From noise to latents, one value for each step. To cancel, leave the iteration. */
  readonly sample: (options: SampleOptions) => Steps;
};

/** Every sampler there is. A new one is a function below, a row here and a golden test. */
export const samplers = {
  DPMPP_2M: {
    title: 'DPM++ 2M',
    description: 'DPM-Solver++(2M): good images in about 20 steps',
    steps: { min: 1, max: 100, default: 20 },
    usesGuidance: true,
    schedulers: ['DPMSolverMultistepScheduler'],
    points: evenPoints,
    sample: dpmpp2m,
  },
  LCM: {
    title: 'LCM',
    description:
      'Latent consistency sampling, for models distilled for it: good images in about 4 steps',
    steps: { min: 1, max: 50, default: 4 },
    usesGuidance: false,
    schedulers: ['LCMScheduler'],
    points: consistencyPoints,
    sample: lcm,
  },
  DMD: {
    title: 'DMD',
    description:
      'Distribution matching distillation, for models distilled for it: one step makes the image',
    steps: { min: 1, max: 1, default: 1 },
    usesGuidance: false,
    schedulers: ['DDPMScheduler'],
    points: distilledPoints,
    sample: oneStep,
  },
} as const satisfies Record<string, SamplerRow>;

export type Sampler = keyof typeof samplers;
export const samplerNames = Object.keys(samplers) as Sampler[];

export class StepsUnsupported extends DomainError {
  constructor(sampler: Sampler, got: number) {
    const { min, max } = samplers[sampler].steps;
    const range = min === max ? `${min}` : `${min} to ${max}`;
    super('BAD_USER_INPUT', `Expected ${range} steps with sampler ${sampler}, but got ${got}`, {
      path: ['steps'],
      min,
      max,
      got,
    });
  }
}

/** The points of a sampler's path from noise to the clean image, `steps + 1` of them. @throws StepsUnsupported */
export function pathOf(sampler: Sampler, schedule: Schedule, steps: number): Point[] {
  const row: SamplerRow = samplers[sampler];
  if (!Number.isInteger(steps) || steps < row.steps.min || steps > row.steps.max) {
    throw new StepsUnsupported(sampler, steps);
  }
  return row.points(schedule, steps);
}

/**
 * DPM-Solver++(2M), arXiv 2211.01095, Algorithm 2, in the paper's symbols: λ = ln(α/σ). The first
 * and the last step are of first order.
 */
export async function* dpmpp2m({ points, latents, denoise }: SampleOptions): Steps {
  const steps = points.length - 1;
  const lambda = points.map(({ alpha, sigma }) => Math.log(alpha) - Math.log(sigma));
  let previous: Float32Array | undefined;
  for (let i = 0; i < steps; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const denoised = await denoise(latents, from);
    const h = lambda[i + 1]! - lambda[i]!; // infinite where `to` is the clean image
    const keep = to.sigma / from.sigma;
    const gain = -to.alpha * Math.expm1(-h);
    const [x, m0, m1] = [latents, denoised, previous];
    if (m1 === undefined || i === steps - 1) {
      latents = x.map((_, j) => keep * x[j]! + gain * m0[j]!);
    } else {
      const r = (lambda[i]! - lambda[i - 1]!) / h;
      latents = x.map((_, j) => keep * x[j]! + gain * (m0[j]! + (m0[j]! - m1[j]!) / (2 * r)));
    }
    previous = denoised;
    yield { denoised, latents };
  }
}

/**
 * Multistep latent consistency sampling, arXiv 2310.04378, Algorithm 3; boundary scalings as in
 * diffusers: σ_data = 0.5, c_skip and c_out from the scaled timestep.
 */
export async function* lcm({ points, latents, schedule, denoise, noise }: SampleOptions): Steps {
  const steps = points.length - 1;
  for (let i = 0; i < steps; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const [x, x0] = [latents, await denoise(latents, from)];
    const scaled = from.timestep * schedule.timestepScaling;
    const skip = 0.25 / (scaled * scaled + 0.25);
    const out = scaled / Math.sqrt(scaled * scaled + 0.25);
    const denoised = x0.map((_, j) => out * x0[j]! + skip * x[j]!);
    latents = i === steps - 1 ? denoised : addNoise(denoised, noise(i + 1), to);
    yield { denoised, latents };
  }
}

/** Distribution matching distillation, arXiv 2311.18828: the first estimate is the image. */
export async function* oneStep({ points, latents, denoise }: SampleOptions): Steps {
  const denoised = await denoise(latents, points[0]!);
  yield { denoised, latents: denoised };
}
