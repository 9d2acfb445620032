import { DomainError } from '../../errors.ts';
import type { Conditioning, Transformer, TransformerInput } from '../networks/transformer.ts';
import { cleanEstimate, type Point } from '../sampling/points.ts';
import { Canceled, type Job, type QueuedWork, type Turns } from './turns.ts';

/**
 * A network computed something that is not a number: damaged weights, or an overflow. The same
 * request would fail again.
 */
export class NotFinite extends DomainError {
  constructor(what: string) {
    super('NOT_FINITE', `Expected finite numbers in ${what}, but got NaN or infinity`);
  }
}

/** One step of one image for the model to estimate: everything that its answer depends on. */
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
  /** Of perturbed-attention guidance, which takes one prediction more; 0 for none. */
  readonly perturbedScale: number;
};

export type Denoiser = {
  /**
   * Queue a request. Resolves with the (guided) estimate of the clean latents x0 (4, height, width).
   * @throws Canceled, NotFinite, or what the transformer throws
   */
  denoise(request: DenoiseRequest): Promise<Float32Array>;
};

type Waiting = {
  readonly request: DenoiseRequest;
  readonly resolve: (clean: Float32Array) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Many images ask at once, each at its own step. A turn computes the request whose turn it is,
 * together with up to `maxBatch` − 1 others of the same network and size, whatever their steps,
 * prompts and guidance. On a CPU batches gain nothing: one at a time, which is fair and free.
 */
export function createDenoiser(
  turns: Turns,
  { maxBatch = 1 }: { maxBatch?: number } = {},
): Denoiser {
  /** In order of arrival. */
  const waiting = new Map<Waiting, QueuedWork>();

  function takeBatch(first: Waiting): Waiting[] {
    const others = [...waiting.keys()].filter(
      (other) => other !== first && fits(first.request, other.request),
    );
    const batch = [first, ...others].slice(0, maxBatch);
    for (const one of batch) {
      if (one !== first) waiting.get(one)!.withdraw();
      waiting.delete(one);
    }
    return batch;
  }

  async function serve(first: Waiting): Promise<void> {
    const batch = takeBatch(first);
    const checkCanceled = async () => {
      if (batch.every(({ request }) => request.job.isCanceled())) throw new Canceled();
    };
    try {
      const inputs = batch.map(({ request }) => inputsOf(request));
      const predictions = await first.request.transformer.predict(inputs.flat(), checkCanceled);
      for (const [index, { request, resolve, reject }] of batch.entries()) {
        try {
          resolve(estimate(request, predictions.splice(0, inputs[index]!.length)));
        } catch (error) {
          reject(error);
        }
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    denoise: (request) =>
      new Promise((resolve, reject) => {
        if (request.job.isCanceled()) return reject(new Canceled());
        const one: Waiting = { request, resolve, reject };
        const queued = turns.queue(request.job, {
          begin: () => serve(one),
          cancel() {
            waiting.delete(one);
            reject(new Canceled());
          },
        });
        waiting.set(one, queued);
      }),
  };
}

function fits(one: DenoiseRequest, other: DenoiseRequest): boolean {
  return (
    one.transformer === other.transformer &&
    one.latentHeight === other.latentHeight &&
    one.latentWidth === other.latentWidth
  );
}

/** Conditional first, then unconditional where it is guided, then perturbed where that guides it too. */
function inputsOf(request: DenoiseRequest): TransformerInput[] {
  const { latents, latentHeight: height, latentWidth: width, at, conditioning, guidance } = request;
  const input = (prompt: Conditioning) => ({
    latents,
    height,
    width,
    timestep: at.timestep,
    conditioning: prompt,
  });
  return [
    input(conditioning),
    ...(guidance === null ? [] : [input(guidance.unconditional)]),
    ...(request.perturbedScale > 0 ? [{ ...input(conditioning), isPerturbed: true }] : []),
  ];
}

/** @throws NotFinite */
function estimate(request: DenoiseRequest, predictions: readonly Float32Array[]): Float32Array {
  const { latents, at, guidance, perturbedScale } = request;
  const [conditional, ...others] = predictions as [Float32Array, ...Float32Array[]];
  checkFinite(conditional, 'the predicted noise');
  let noise = conditional;
  if (guidance !== null) {
    const unconditional = others[0]!;
    checkFinite(unconditional, 'the predicted noise of the negative prompt');
    noise = guide(conditional, unconditional, guidance.scale);
  }
  if (perturbedScale > 0) {
    const perturbed = others.at(-1)!;
    checkFinite(perturbed, 'the predicted noise with perturbed attention');
    noise = leadAway(noise, { conditional, perturbed, scale: perturbedScale });
  }
  return cleanEstimate(latents, noise, at);
}

/** Classifier-free guidance, arXiv 2207.12598: ε = εu + s·(εc − εu). */
function guide(conditional: Float32Array, unconditional: Float32Array, scale: number) {
  return unconditional.map((u, i) => u + scale * (conditional[i]! - u));
}

/** Perturbed-attention guidance, arXiv 2403.17377, equations 16 and 17: ε + s·(εc − εp). */
function leadAway(
  noise: Float32Array,
  {
    conditional,
    perturbed,
    scale,
  }: { conditional: Float32Array; perturbed: Float32Array; scale: number },
) {
  return noise.map((e, i) => e + scale * (conditional[i]! - perturbed[i]!));
}

/**
 * Whether guidance of either kind acts in a step: between the fractions of the way that were asked for
 * (arXiv 2404.07724).
 * @param step 1 to `steps`
 */
export function isGuided(
  request: { guidanceStart: number; guidanceEnd: number },
  step: number,
  steps: number,
): boolean {
  const { guidanceStart, guidanceEnd } = request;
  // A thousandth of a step of slack, so that 0.3 of 10 steps is 3 of them in floating point too.
  const slack = 1e-3 / steps;
  return (step - 1) / steps >= guidanceStart - slack && step / steps <= guidanceEnd + slack;
}

/** @throws NotFinite, rather than a black image */
export function checkFinite(values: Float32Array, what: string): void {
  if (!values.every(Number.isFinite)) throw new NotFinite(what);
}
