import { gridOf } from '../models/model.ts';
import { checkGrid } from '../networks/token-compression.ts';
import type { ImageRequest, PreviewDemand } from '../request.ts';
import { latentFactor } from '../sampling/latents.ts';
import type { Point } from '../sampling/points.ts';
import { pathOf, samplers } from '../sampling/samplers.ts';
import { conditionPrompts } from './conditioning.ts';
import { checkFinite, type Denoiser } from './denoiser.ts';
import { type Denoising, denoiseSteps } from './denoising.ts';
import type { Embeddings } from './embeddings.ts';
import type { JobEvent } from './job-event.ts';
import type { LoadedModels } from './loaded-models.ts';
import type { LoadedModel, ModelRef } from './model-loader.ts';
import { createFrameClock, imageBytes, latentFrame } from './preview.ts';
import type { SourceEncodings } from './source-encodings.ts';
import { createStageClock } from './stage-clock.ts';
import type { Job, Turns } from './turns.ts';

/** What all images share. */
export type PipelineContext = {
  readonly models: LoadedModels;
  readonly turns: Turns;
  readonly denoiser: Denoiser;
  readonly embeddings: Embeddings;
  readonly sources: SourceEncodings;
};

/** An image that is being made. */
export type ImageJob = {
  readonly job: Job;
  readonly ref: ModelRef;
  readonly demand: PreviewDemand | null;
};

/** Where on its sampler's path an image begins, with which latents, and what is known of its end. */
export type Start = Pick<Denoising, 'points' | 'latents' | 'constrain'>;

/**
 * What all kinds of images have in common: load the model, encode the prompts, denoise from
 * `begin` on, decode. To cancel, mark the job: it unwinds at the next turn that it would take.
 * @param begin from the whole path of the sampler
 * @throws Canceled, DomainError
 */
export async function* makeImage(
  request: ImageRequest,
  { job, ref, demand }: ImageJob,
  context: PipelineContext & {
    begin(path: readonly Point[], loaded: LoadedModel): Start | Promise<Start>;
  },
): AsyncGenerator<JobEvent, void, void> {
  const { models, turns, denoiser, embeddings } = context;
  const clock = createStageClock();

  yield clock.enter('LOADING_MODEL');
  const { loaded, release } = await models.acquire(ref, job);
  try {
    const { transformer, vae, latentRgb } = loaded;
    const { schedule } = loaded.model;
    checkGrid(transformer.config.compression, gridOf(request));
    const path = pathOf(request.sampler, schedule, request.steps);

    yield clock.enter('ENCODING');
    const prompts = await conditionPrompts(request, { job, loaded, turns, embeddings });
    const start = await context.begin(path, loaded);

    yield clock.enter('DENOISING');
    const size = { width: request.width / latentFactor, height: request.height / latentFactor };
    const frames = createFrameClock(demand);
    const { sample } = samplers[request.sampler];
    const denoising = { job, request, denoiser, transformer, schedule, sample };
    let { latents } = start;
    const steps = denoiseSteps({ ...denoising, ...start, ...prompts });
    for await (const { step, denoised, latents: next } of steps) {
      latents = next;
      const frame = frames.isDue() ? latentFrame(denoised, size, latentRgb) : null;
      yield { type: 'step', step, steps: request.steps, frame };
    }

    yield clock.enter('DECODING');
    const image = await turns.run(job, (pause) =>
      vae.decode(latents, size.height, size.width, pause),
    );
    checkFinite(image.data, 'the decoded image');
    yield {
      type: 'image',
      width: image.width,
      height: image.height,
      rgb: imageBytes(image.data),
      timings: clock.stop(),
    };
  } finally {
    await release();
  }
}
