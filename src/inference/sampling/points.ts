import type { Schedule } from './schedule.ts';

/** One point of a sampler's path: latents there are x = alpha · x0 + sigma · noise. */
export type Point = {
  /** What the model is told: 0 to 999, fractions allowed. */
  readonly timestep: number;
  readonly alpha: number;
  readonly sigma: number;
};

/** The end of every path: the clean image. */
const clean: Point = { timestep: 0, alpha: 1, sigma: 0 };

/** The `steps` points of DPM-Solver++ in diffusers (`timestep_spacing: linspace`), then the clean image. */
export function evenPoints(schedule: Schedule, steps: number): Point[] {
  const points = timesteps(steps, schedule.trainTimesteps).map((timestep) => {
    const ratio = schedule.sigmas[timestep]!;
    const alpha = 1 / Math.sqrt(1 + ratio * ratio);
    return { timestep, alpha, sigma: ratio * alpha };
  });
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

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * `steps` of the timesteps that a consistency model was distilled on (19, 39, … 999 for 50 of
 * them), noisiest first, as diffusers' `LCMScheduler` picks them; then the clean image.
 */
export function consistencyPoints(schedule: Schedule, steps: number): Point[] {
  const count = schedule.originalSteps;
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
