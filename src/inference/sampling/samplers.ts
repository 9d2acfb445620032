import { DomainError } from '../../errors.ts';
import { type Sampler, samplerSteps } from '../request.ts';
import { continuousPoints, discretePoints, type Point, type Schedule } from './schedule.ts';

/** The model as a sampler sees it: noisy latents and their timestep in, the (guided) noise ε out. */
export type Denoise = (latents: Float32Array, timestep: number) => Promise<Float32Array>;

/** What stands after one step. The arrays are new at each step and belong to the receiver to read. */
export type SampleStep = {
  /** 1 to `steps`. */
  readonly step: number;
  readonly steps: number;
  /** The estimate of the clean latents x0 that this step was made from: what a preview shows. */
  readonly denoised: Float32Array;
  /** The latents after the step; after the last one, the result. */
  readonly latents: Float32Array;
};

export type SampleOptions = {
  /** Pure N(0, 1) noise to begin with. It is not written to. */
  readonly latents: Float32Array;
  readonly steps: number;
  readonly denoise: Denoise;
  /** Fresh N(0, 1) noise that a sampler adds after step `step` (1, 2, …); the same for the same step. */
  readonly noise: (step: number) => Float32Array;
};

export class StepsUnsupported extends DomainError {
  constructor(sampler: Sampler, got: number) {
    const { min, max } = samplerSteps[sampler];
    const range = min === max ? `${min}` : `${min} to ${max}`;
    super('BAD_USER_INPUT', `Expected ${range} steps with sampler ${sampler}, but got ${got}`, {
      path: ['steps'],
      min,
      max,
      got,
    });
  }
}

/** Distilled samplers have their guidance built in: they run the denoiser once, at scale 1. */
export function usesGuidance(sampler: Sampler): boolean {
  return sampler === 'DPMPP_2M';
}

/** The sampler that a scheduler's class in diffusers stands for. */
export function samplerOf(schedule: Pick<Schedule, 'className'>): Sampler {
  if (schedule.className === 'LCMScheduler') return 'LCM';
  return schedule.className === 'DDPMScheduler' ? 'DMD' : 'DPMPP_2M';
}

/**
 * Walks from noise to latents. To cancel, leave the iteration.
 * @throws StepsUnsupported
 */
export function sample(
  sampler: Sampler,
  schedule: Schedule,
  options: SampleOptions,
): AsyncGenerator<SampleStep, void, void> {
  const { min, max } = samplerSteps[sampler];
  if (!Number.isInteger(options.steps) || options.steps < min || options.steps > max) {
    throw new StepsUnsupported(sampler, options.steps);
  }
  return table[sampler](schedule, options);
}

const table = {
  DPMPP_2M: (schedule, options) => dpmpp2m(discretePoints(schedule, options.steps), options),
  LCM: lcm,
  DMD: dmd,
} as const satisfies Record<
  Sampler,
  (schedule: Schedule, options: SampleOptions) => AsyncGenerator<SampleStep, void, void>
>;

/** DPM-Solver++(2M) at the continuous times of PixArt-Σ's own scripts (`diffusion/dpm_solver.py`). */
export function sampleAtContinuousTimes(schedule: Schedule, options: SampleOptions) {
  return dpmpp2m(continuousPoints(schedule, options.steps), options);
}

/**
 * DPM-Solver++(2M), arXiv 2211.01095, Algorithm 2, in the paper's symbols: λ = ln(α/σ). The first
 * and the last step are of first order.
 */
async function* dpmpp2m(points: readonly Point[], { latents, denoise }: SampleOptions) {
  const steps = points.length - 1;
  const lambda = points.map(({ alpha, sigma }) => Math.log(alpha) - Math.log(sigma));
  let previous: Float32Array | undefined;
  for (let i = 0; i < steps; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const denoised = cleanEstimate(latents, await denoise(latents, from.timestep), from);
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
    yield { step: i + 1, steps, denoised, latents };
  }
}

/**
 * Multistep latent consistency sampling, arXiv 2310.04378, Algorithm 3; timesteps and boundary
 * scalings as in diffusers: σ_data = 0.5, c_skip and c_out from the scaled timestep.
 */
async function* lcm(schedule: Schedule, { latents, steps, denoise, noise }: SampleOptions) {
  const times = consistencyTimesteps(schedule, steps);
  for (let i = 0; i < steps; i++) {
    const at = pointAt(schedule, times[i]!);
    const epsilon = await denoise(latents, at.timestep);
    const scaled = at.timestep * schedule.timestepScaling;
    const skip = 0.25 / (scaled * scaled + 0.25);
    const out = scaled / Math.sqrt(scaled * scaled + 0.25);
    const x = latents;
    const denoised = x.map((_, j) => {
      const x0 = (x[j]! - at.sigma * epsilon[j]!) / at.alpha;
      return out * x0 + skip * x[j]!;
    });
    latents = denoised;
    if (i < steps - 1) {
      const to = pointAt(schedule, times[i + 1]!);
      const fresh = noise(i + 1);
      latents = denoised.map((d, j) => to.alpha * d + to.sigma * fresh[j]!);
    }
    yield { step: i + 1, steps, denoised, latents };
  }
}

/** Every k-th of the timesteps that the model was distilled on (19, 39, … 999), noisiest first. */
function consistencyTimesteps(schedule: Schedule, steps: number): number[] {
  const count = schedule.originalSteps;
  const stride = Math.floor(schedule.trainTimesteps / count);
  return Array.from({ length: steps }, (_, i) => {
    const index = Math.floor(i * (count / steps));
    return (count - index) * stride - 1;
  });
}

/**
 * Distribution matching distillation, arXiv 2311.18828: one step. PixArt's model takes pure noise
 * for timestep 400 (`app/app_pixart_dmd.py`).
 */
async function* dmd(schedule: Schedule, { latents, denoise }: SampleOptions) {
  const at = pointAt(schedule, 400);
  const denoised = cleanEstimate(latents, await denoise(latents, at.timestep), at);
  yield { step: 1, steps: 1, denoised, latents: denoised };
}

function pointAt(schedule: Schedule, timestep: number): Point {
  const alphaCumprod = schedule.alphasCumprod[timestep]!;
  return { timestep, alpha: Math.sqrt(alphaCumprod), sigma: Math.sqrt(1 - alphaCumprod) };
}

/** x0 = (x − σ·ε)/α. */
function cleanEstimate(latents: Float32Array, epsilon: Float32Array, at: Point): Float32Array {
  return latents.map((x, j) => (x - at.sigma * epsilon[j]!) / at.alpha);
}
