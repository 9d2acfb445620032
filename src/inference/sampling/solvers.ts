import { addNoise, type Point } from './points.ts';
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

export type Steps = AsyncGenerator<SampleStep, void, void>;

/** λ, half the logarithm of the signal-to-noise ratio; infinite at the clean image. */
function logSnr({ alpha, sigma }: Point): number {
  return Math.log(alpha) - Math.log(sigma);
}

/**
 * DPM-Solver++(2M), arXiv 2211.01095, Algorithm 2, in the paper's symbols: λ = ln(α/σ). The first
 * and the last step are of first order.
 */
export async function* dpmpp2m({ points, latents, denoise }: SampleOptions): Steps {
  const steps = points.length - 1;
  const lambda = points.map(logSnr);
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
 * The stochastic DPM-Solver++(2M) (arXiv 2211.01095, appendix; `sde-dpmsolver++` in diffusers), in the
 * symbols of `dpmpp2m`: part of the noise is new in each step.
 */
export async function* dpmpp2mSde({ points, latents, denoise, noise }: SampleOptions): Steps {
  const steps = points.length - 1;
  const lambda = points.map(logSnr);
  let previous: Float32Array | undefined;
  for (let i = 0; i < steps; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const denoised = await denoise(latents, from);
    const h = lambda[i + 1]! - lambda[i]!;
    const keep = (to.sigma / from.sigma) * Math.exp(-h);
    const gain = -to.alpha * Math.expm1(-2 * h);
    const fresh = to.sigma * Math.sqrt(-Math.expm1(-2 * h));
    const [x, m0, m1] = [latents, denoised, previous];
    const r = i === 0 ? 0 : (lambda[i]! - lambda[i - 1]!) / h;
    const isFirstOrder = m1 === undefined || i === steps - 1;
    latents = x.map((_, j) => {
      const slope = isFirstOrder ? 0 : (m0[j]! - m1[j]!) / (2 * r);
      return keep * x[j]! + gain * (m0[j]! + slope);
    });
    if (fresh > 0) latents = plus(latents, noise(i + 1), fresh);
    previous = denoised;
    yield { denoised, latents };
  }
}

/**
 * UniPC of order 2 with B2(h) = e^h − 1, for predictions of x0: arXiv 2302.04867, Algorithms 1 and 2,
 * as diffusers' `UniPCMultistepScheduler` begins and ends it, with steps of first order.
 */
export async function* unipc({ points, latents, denoise }: SampleOptions): Steps {
  const steps = points.length - 1;
  const lambda = points.map(logSnr);
  /** The corrected latents before the last step, and the estimates that it was made from. */
  let last: { x: Float32Array; m0: Float32Array; m1: Float32Array | undefined } | undefined;
  for (let i = 0; i < steps; i++) {
    const denoised = await denoise(latents, points[i]!);
    let x = latents;
    if (last !== undefined) {
      const { m0, m1 } = last;
      const { keep, gain, hh } = unipcStep(points, lambda, i - 1);
      const { own, other } = correction(hh, m1 && ratio(lambda, i - 1));
      const before = last.x;
      x = before.map((_, j) => {
        const slope = m1 === undefined ? 0 : (other * (m1[j]! - m0[j]!)) / ratio(lambda, i - 1);
        return keep * before[j]! + gain * (m0[j]! + slope + own * (denoised[j]! - m0[j]!));
      });
    }
    const [m0, m1] = [denoised, i < steps - 1 ? last?.m0 : undefined];
    const { keep, gain } = unipcStep(points, lambda, i);
    const from = x;
    latents = from.map((_, j) => {
      const slope = m1 === undefined ? 0 : (0.5 * (m1[j]! - m0[j]!)) / ratio(lambda, i);
      return keep * from[j]! + gain * (m0[j]! + slope);
    });
    last = { x, m0, m1 };
    yield { denoised, latents };
  }
}

/** Of the step from point i: what is kept of the latents, what is taken of the estimates, and −h. */
function unipcStep(points: readonly Point[], lambda: readonly number[], i: number) {
  const [from, to] = [points[i]!, points[i + 1]!];
  const hh = lambda[i]! - lambda[i + 1]!;
  return { keep: to.sigma / from.sigma, gain: -to.alpha * Math.expm1(hh), hh };
}

/** r of the estimate before: how long the step before it was, in steps of this one; negative. */
function ratio(lambda: readonly number[], i: number): number {
  return (lambda[i - 1]! - lambda[i]!) / (lambda[i + 1]! - lambda[i]!);
}

/** ρ of the corrector, for the new estimate and for the one before; without `r`, of first order. */
function correction(hh: number, r: number | undefined): { own: number; other: number } {
  if (r === undefined) return { own: 0.5, other: 0 };
  const b = Math.expm1(hh);
  const phi2 = b / hh - 1;
  const phi3 = phi2 / hh - 0.5;
  const [b1, b2] = [phi2 / b, (2 * phi3) / b];
  const other = (b1 - b2) / (1 - r);
  return { own: b1 - other, other };
}

/**
 * Euler's method along dx/dσ (arXiv 2206.00364, Algorithm 1 without its second half), for latents
 * scaled by α the step of DDIM without noise (arXiv 2010.02502, equation 12).
 */
export async function* euler({ points, latents, denoise }: SampleOptions): Steps {
  for (let i = 0; i < points.length - 1; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const denoised = await denoise(latents, from);
    latents = towards(latents, denoised, from, to);
    yield { denoised, latents };
  }
}

/**
 * Euler's method to less noise than the next point has, and new noise up to it: k-diffusion's
 * `sample_euler_ancestral`, in its ratio σ/α.
 */
export async function* eulerAncestral({ points, latents, denoise, noise }: SampleOptions): Steps {
  for (let i = 0; i < points.length - 1; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const denoised = await denoise(latents, from);
    const [before, after] = [from.sigma / from.alpha, to.sigma / to.alpha];
    const up = Math.sqrt(after ** 2 * Math.max(0, 1 - (after / before) ** 2));
    const down = Math.sqrt(after ** 2 - up ** 2);
    latents = towards(latents, denoised, from, { ...to, sigma: down * to.alpha });
    if (up > 0) latents = plus(latents, noise(i + 1), up * to.alpha);
    yield { denoised, latents };
  }
}

/**
 * Heun's method: arXiv 2206.00364, Algorithm 1. Two evaluations in each step but the last, the second
 * one where Euler's method leads.
 */
export async function* heun({ points, latents, denoise }: SampleOptions): Steps {
  for (let i = 0; i < points.length - 1; i++) {
    const [from, to] = [points[i]!, points[i + 1]!];
    const denoised = await denoise(latents, from);
    const [x, m0] = [latents, denoised];
    const end = towards(x, m0, from, to);
    if (to.sigma === 0) {
      latents = end;
    } else {
      const m1 = await denoise(end, to);
      const step = to.sigma / to.alpha - from.sigma / from.alpha;
      latents = x.map((_, j) => {
        const first = (x[j]! - from.alpha * m0[j]!) / from.sigma;
        const second = (end[j]! - to.alpha * m1[j]!) / to.sigma;
        return to.alpha * (x[j]! / from.alpha + (step * (first + second)) / 2);
      });
    }
    yield { denoised, latents };
  }
}

/** From one point to another along the noise that the estimate implies: x0·α + σ·ε. */
function towards(x: Float32Array, x0: Float32Array, from: Point, to: Point): Float32Array {
  const keep = to.sigma / from.sigma;
  return x.map((_, j) => to.alpha * x0[j]! + keep * (x[j]! - from.alpha * x0[j]!));
}

function plus(x: Float32Array, noise: Float32Array, scale: number): Float32Array {
  return x.map((value, j) => value + scale * noise[j]!);
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
