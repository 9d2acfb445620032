import { DomainError } from '../../errors.ts';
import type { Schedule } from './schedule.ts';

/** One point of a sampler's path: latents there are x = alpha · x0 + sigma · noise. */
export type Point = {
  /** Input of the model: 0 to 999, fractions allowed. */
  readonly timestep: number;
  readonly alpha: number;
  readonly sigma: number;
};

export class StepsUnsupported extends DomainError {
  constructor({ min, max }: { min: number; max: number }, got: number) {
    const range = min === max ? `${min}` : `${min} to ${max}`;
    super('BAD_USER_INPUT', `Expected ${range} steps with this sampler and model, but got ${got}`, {
      path: ['steps'],
      min,
      max,
      got,
    });
  }
}

/** The end of every path: the clean image. */
const clean: Point = { timestep: 0, alpha: 1, sigma: 0 };

/** The `steps` points of DPM-Solver++ in diffusers (`timestep_spacing: linspace`), then the clean image. */
export function evenPoints(schedule: Schedule, steps: number): Point[] {
  const points = timesteps(steps, schedule.trainTimesteps).map((timestep) =>
    pointOfRatio(schedule.sigmas[timestep]!, timestep),
  );
  return [...points, clean];
}

/**
 * The integer timesteps of DPM-Solver++ as diffusers spaces them (`linspace`), noisiest first;
 * NumPy rounds halves to even. Length `steps`.
 */
export function timesteps(steps: number, trainTimesteps = 1000): number[] {
  const step = (trainTimesteps - 1) / steps;
  return Array.from({ length: steps }, (_, i) =>
    i === 0 ? trainTimesteps - 1 : roundHalfEven((steps - i) * step),
  );
}

/**
 * `steps` points from the noisiest to the cleanest timestep, both included, the same distance apart,
 * between whole timesteps too: diffusers' Euler and Heun classes (`linspace`). At least 2.
 */
export function linearPoints(schedule: Schedule, steps: number): Point[] {
  const last = schedule.trainTimesteps - 1;
  const points = Array.from({ length: steps }, (_, i) => {
    const timestep = Math.fround(last * (1 - i / (steps - 1)));
    const below = Math.min(Math.floor(timestep), last - 1);
    const part = timestep - below;
    const [low, high] = [schedule.sigmas[below]!, schedule.sigmas[below + 1]!];
    return pointOfRatio(low + part * (high - low), timestep);
  });
  return [...points, clean];
}

/** `steps` points a whole share of the timesteps apart, from the noisiest on (`trailing`, arXiv 2305.08891, table 2). */
export function trailingPoints(schedule: Schedule, steps: number): Point[] {
  const count = schedule.trainTimesteps;
  const points = Array.from({ length: steps }, (_, i) =>
    pointAt(schedule, roundHalfEven(count - (i * count) / steps) - 1),
  );
  return [...points, clean];
}

/**
 * `steps` noise levels from arXiv 2206.00364, equation 5, with ρ = 7, between the schedule's ends; the
 * timestep of each is the nearest by the logarithm of its level, as in diffusers.
 */
export function karrasPoints({ sigmas }: Schedule, steps: number): Point[] {
  const rho = 7;
  const [least, most] = [sigmas[0]! ** (1 / rho), sigmas[sigmas.length - 1]! ** (1 / rho)];
  const points = Array.from({ length: steps }, (_, i) => {
    const ratio = (most + (i / Math.max(1, steps - 1)) * (least - most)) ** rho;
    const above = Math.max(
      1,
      sigmas.findIndex((sigma) => sigma > ratio),
    );
    const below = ratio >= sigmas[sigmas.length - 1]! ? sigmas.length - 2 : above - 1;
    const [low, high] = [Math.log(sigmas[below]!), Math.log(sigmas[below + 1]!)];
    const part = Math.min(1, Math.max(0, (Math.log(ratio) - low) / (high - low)));
    return pointOfRatio(ratio, roundHalfEven(below + part));
  });
  return [...points, clean];
}

/** The point with σ/α as given. */
function pointOfRatio(ratio: number, timestep: number): Point {
  const alpha = 1 / Math.sqrt(1 + ratio * ratio);
  return { timestep, alpha, sigma: ratio * alpha };
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * `steps` of the timesteps that a consistency model was distilled on (19, 39, … 999 for 50 of
 * them), noisiest first, as diffusers' `LCMScheduler` picks them; then the clean image.
 * @throws StepsUnsupported
 */
export function consistencyPoints(schedule: Schedule, steps: number): Point[] {
  const count = schedule.originalSteps;
  if (steps > count) throw new StepsUnsupported({ min: 1, max: count }, steps);
  const stride = Math.floor(schedule.trainTimesteps / count);
  const points = Array.from({ length: steps }, (_, i) => {
    const index = Math.floor(i * (count / steps));
    return pointAt(schedule, (count - index) * stride - 1);
  });
  return [...points, clean];
}

/** PixArt's one-step model takes pure noise for timestep 400 (`app/app_pixart_dmd.py`). */
export function distilledPoints(schedule: Schedule): Point[] {
  return [pointAt(schedule, 400), clean];
}

function pointAt(schedule: Schedule, timestep: number): Point {
  const alphaCumprod = schedule.alphasCumprod[timestep]!;
  return { timestep, alpha: Math.sqrt(alphaCumprod), sigma: Math.sqrt(1 - alphaCumprod) };
}

/** Latents at a point, made of clean ones and N(0, 1) noise, element by element. */
export function addNoise(
  latents: Float32Array,
  noise: Float32Array,
  { alpha, sigma }: Point,
): Float32Array {
  return latents.map((x, i) => alpha * x + sigma * noise[i]!);
}

/** x0 = (x − σ·ε)/α: the clean latents that noise ε predicted at a point leads to. */
export function cleanEstimate(
  latents: Float32Array,
  epsilon: Float32Array,
  { alpha, sigma }: Point,
): Float32Array {
  return latents.map((x, i) => (x - sigma * epsilon[i]!) / alpha);
}
