import { gridOf, tokenize } from '../models/model.ts';
import { checkGrid } from '../networks/token-compression.ts';
import type { ImageRequest, PreviewDemand, Stage } from '../request.ts';
import { initialLatents, latentFactor } from '../sampling/latents.ts';
import { pathOf, samplers } from '../sampling/samplers.ts';
import { checkFinite, type Denoiser } from './denoiser.ts';
import { denoiseSteps } from './denoising.ts';
import type { Embeddings } from './embeddings.ts';
import type { JobEvent } from './job-event.ts';
import type { LoadedModels } from './loaded-models.ts';
import type { LoadedModel, ModelRef } from './model-loader.ts';
import { createFrameClock, imageBytes, latentFrame } from './preview.ts';
import type { Job, Turns } from './turns.ts';

/** What all images share. */
export type PipelineContext = {
  readonly models: LoadedModels;
  readonly turns: Turns;
  readonly denoiser: Denoiser;
  readonly embeddings: Embeddings;
};

/** One image from text. To cancel, mark the job: it unwinds at the next turn that it would take. */
export async function* textToImage(
  request: ImageRequest,
  { job, ref, demand }: { job: Job; ref: ModelRef; demand: PreviewDemand | null },
  context: PipelineContext,
): AsyncGenerator<JobEvent, void, void> {
  const { models, turns, denoiser } = context;
  const clock = createStageClock();

  yield clock.enter('LOADING_MODEL');
  const { loaded, release } = await models.acquire(ref, job);
  try {
    const { transformer, vae, latentRgb } = loaded;
    const { schedule } = loaded.model;
    const sampler = samplers[request.sampler];
    checkGrid(transformer.config.compression, gridOf(request));
    const points = pathOf(request.sampler, schedule, request.steps);

    yield clock.enter('ENCODING');
    const conditioning = await condition(request, request.prompt, { job, loaded, context });
    const isGuided = sampler.usesGuidance && request.guidanceScale > 1;
    const unconditional = isGuided
      ? await condition(request, request.negativePrompt, { job, loaded, context })
      : null;

    yield clock.enter('DENOISING');
    const size = { width: request.width / latentFactor, height: request.height / latentFactor };
    const frames = createFrameClock(demand);
    let latents = initialLatents(request.seed, request);
    const denoising = { job, request, denoiser, transformer, schedule, points, latents };
    const { sample } = sampler;
    const steps = denoiseSteps({ ...denoising, sample, conditioning, unconditional });
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

/** A prompt as the transformer takes it: tokens, embedding, keys and values of its layers. */
async function condition(
  { cleanCaption }: ImageRequest,
  prompt: string,
  { job, loaded, context }: { job: Job; loaded: LoadedModel; context: PipelineContext },
) {
  const { model, textEncoder, transformer } = loaded;
  const { turns, embeddings } = context;
  const { ids } = tokenize(model, prompt, cleanCaption);
  const caption = await embeddings.of(model.textEncoder.identity, ids, () =>
    turns.run(job, (pause) => textEncoder.encode(ids, pause)),
  );
  return turns.run(job, () => transformer.condition(caption));
}

/** Milliseconds from one stage to the next. */
function createStageClock(now = () => performance.now()) {
  const timings: { stage: Stage; milliseconds: number }[] = [];
  let since = now();
  const settle = () => {
    const last = timings.at(-1);
    if (last !== undefined) last.milliseconds = now() - since;
    since = now();
  };
  return {
    enter(stage: Stage) {
      settle();
      timings.push({ stage, milliseconds: 0 });
      return { type: 'stage', stage } as const;
    },
    stop() {
      settle();
      return timings;
    },
  };
}
