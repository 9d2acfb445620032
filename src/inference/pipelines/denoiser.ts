import { DomainError } from '../../errors.ts';
import type { Conditioning, Transformer } from '../networks/transformer.ts';
import { cleanEstimate, type Point } from '../sampling/points.ts';
import { Canceled, type Job, type Turns } from './turns.ts';

/** A network gave something that is not a number: damaged weights, or an overflow. */
export class NotFinite extends DomainError {
  constructor(what: string) {
    super('ENGINE_FAILED', `Expected finite numbers in ${what}, but got NaN or infinity`);
  }
}

/** One look of the model at one image: everything that its answer depends on. */
export type DenoiseRequest = {
  readonly job: Job;
  readonly transformer: Pick<Transformer, 'predict'>;
  /** (4, height, width) */
  readonly latents: Float32Array;
  readonly latentHeight: number;
  readonly latentWidth: number;
  readonly at: Point;
  readonly conditioning: Conditioning;
  /** Null: the conditional prediction alone, at half the cost. */
  readonly guidance: { readonly scale: number; readonly unconditional: Conditioning } | null;
};

export type Denoiser = {
  /**
   * Queue a request. Resolves with the (guided) estimate of the clean latents x0 (4, height, width).
   * @throws Canceled, or what the transformer throws
   */
  denoise(request: DenoiseRequest): Promise<Float32Array>;
};

/**
 * Many images ask at once, each at its own step; a turn serves one of them. On a CPU that costs
 * nothing against batches, and joining, leaving and fairness all happen between turns.
 */
export function createDenoiser(turns: Turns): Denoiser {
  return { denoise: (request) => turns.run(request.job, () => predict(request)) };
}

async function predict(request: DenoiseRequest): Promise<Float32Array> {
  return cleanEstimate(request.latents, await predictNoise(request), request.at);
}

/** Classifier-free guidance, arXiv 2207.12598: ε = εu + s·(εc − εu). */
async function predictNoise(request: DenoiseRequest): Promise<Float32Array> {
  const { transformer, latents, latentHeight, latentWidth, at } = request;
  const look = (conditioning: Conditioning) =>
    transformer.predict(latents, latentHeight, latentWidth, at.timestep, conditioning);
  const conditional = await look(request.conditioning);
  checkFinite(conditional, 'the predicted noise');
  if (request.guidance === null) return conditional;
  if (request.job.isCanceled()) throw new Canceled();
  const { scale, unconditional } = request.guidance;
  const away = await look(unconditional);
  checkFinite(away, 'the predicted noise of the negative prompt');
  return away.map((u, i) => u + scale * (conditional[i]! - u));
}

/**
 * Whether guidance acts in a step: at a scale above 1, and between the fractions of the way that
 * were asked for (arXiv 2404.07724).
 * @param step 1 to `steps`
 */
export function isGuided(
  request: { guidanceScale: number; guidanceStart: number; guidanceEnd: number },
  step: number,
  steps: number,
): boolean {
  const { guidanceScale, guidanceStart, guidanceEnd } = request;
  // A thousandth of a step of slack, so that 0.3 of 10 steps is 3 of them in floating point too.
  const slack = 1e-3 / steps;
  return (
    guidanceScale > 1 &&
    (step - 1) / steps >= guidanceStart - slack &&
    step / steps <= guidanceEnd + slack
  );
}

/** @throws NotFinite, rather than a black picture */
export function checkFinite(values: Float32Array, what: string): void {
  if (!values.every(Number.isFinite)) throw new NotFinite(what);
}
