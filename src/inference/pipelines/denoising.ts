import type { Conditioning, Transformer } from '../networks/transformer.ts';
import type { ImageRequest } from '../request.ts';
import { latentFactor, stepNoise } from '../sampling/latents.ts';
import type { Point } from '../sampling/points.ts';
import type { Schedule } from '../sampling/schedule.ts';
import type { SampleOptions, SampleStep } from '../sampling/solvers.ts';
import { type Denoiser, isGuided } from './denoiser.ts';
import type { Job } from './turns.ts';

/** What a pipeline hands to its denoising loop. */
export type Denoising = {
  readonly job: Job;
  readonly request: Pick<
    ImageRequest,
    'seed' | 'width' | 'height' | 'steps' | 'guidanceScale' | 'guidanceStart' | 'guidanceEnd'
  >;
  readonly denoiser: Denoiser;
  readonly transformer: Pick<Transformer, 'predict'>;
  readonly schedule: Schedule;
  readonly sample: (options: SampleOptions) => AsyncGenerator<SampleStep, void, void>;
  /** The path to take: that of `request.steps` steps, or the end of it. */
  readonly points: readonly Point[];
  /** At the first point. */
  readonly latents: Float32Array;
  /** Puts what is known of the clean latents into each estimate of them. Left out: nothing is known. */
  readonly constrain?: (denoised: Float32Array) => Float32Array;
  readonly conditioning: Conditioning;
  /** Null: without guidance. */
  readonly unconditional: Conditioning | null;
  /** Of perturbed-attention guidance; 0: without. */
  readonly perturbedScale: number;
};

/**
 * The denoising loop: a sampler along its points, guided in the steps that guidance acts in, however
 * often the sampler evaluates the model in a step. Yields after each step, its number counted on the
 * whole path.
 */
export async function* denoiseSteps(
  denoising: Denoising,
): AsyncGenerator<SampleStep & { step: number }, void, void> {
  const { job, request, denoiser, transformer, points, conditioning, unconditional } = denoising;
  const { perturbedScale, constrain = (denoised) => denoised } = denoising;
  let step = request.steps - (points.length - 1) + 1;
  const steps = denoising.sample({
    latents: denoising.latents,
    points,
    schedule: denoising.schedule,
    denoise: async (latents, at) => {
      const guides = isGuided(request, step, request.steps);
      const denoised = await denoiser.denoise({
        job,
        transformer,
        latents,
        latentHeight: request.height / latentFactor,
        latentWidth: request.width / latentFactor,
        at,
        conditioning,
        guidance:
          guides && unconditional !== null ? { scale: request.guidanceScale, unconditional } : null,
        perturbedScale: guides ? perturbedScale : 0,
      });
      return constrain(denoised);
    },
    noise: (after) => stepNoise(request.seed, after, denoising.latents.length),
  });
  for await (const sampled of steps) yield { ...sampled, step: step++ };
}
