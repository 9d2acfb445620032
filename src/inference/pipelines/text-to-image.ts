import { tokenize } from '../checkpoints/model-folder.ts';
import type { JobEvent, ModelPlace } from '../engine/protocol.ts';
import type { ImageRequest, PreviewDemand, Stage } from '../request.ts';
import { initialLatents, latentFactor, stepNoise } from '../sampling/latents.ts';
import { pathOf, samplers } from '../sampling/samplers.ts';
import { checkFinite, createDenoiser, isGuided } from './denoiser.ts';
import type { Embeddings } from './embeddings.ts';
import type { Models } from './loaded-models.ts';
import { createFrameClock, latentFrame, pictureBytes } from './preview.ts';
import type { Job, Turns } from './turns.ts';

/** What all images share. */
export type Engine = {
  readonly models: Models;
  readonly turns: Turns;
  readonly embeddings: Embeddings;
};

/** One image from text. To cancel, mark the job: it unwinds at the next turn that it would take. */
export async function* textToImage(
  request: ImageRequest,
  { job, place, demand }: { job: Job; place: ModelPlace; demand: PreviewDemand | null },
  { models, turns, embeddings }: Engine,
): AsyncGenerator<JobEvent, void, void> {
  const denoiser = createDenoiser(turns);
  const clock = createStageClock();

  yield clock.enter('LOADING_MODEL');
  const { model, release } = await models.acquire(place, job);
  try {
    const { transformer, vae, schedule, latentRgb } = model;

    yield clock.enter('ENCODING');
    const condition = async (prompt: string) => {
      const { ids } = tokenize(model.folder, prompt, request.cleanCaption);
      const caption = await embeddings.of(place, ids, () =>
        turns.run(job, (pause) => model.textEncoder.encode(ids, pause)),
      );
      return turns.run(job, () => transformer.condition(caption));
    };
    const conditioning = await condition(request.prompt);
    const sampler = samplers[request.sampler];
    const isGuidedAtAll = sampler.usesGuidance && request.guidanceScale > 1;
    const unconditional = isGuidedAtAll ? await condition(request.negativePrompt) : null;

    yield clock.enter('DENOISING');
    const size = { width: request.width / latentFactor, height: request.height / latentFactor };
    const frames = createFrameClock(demand);
    let latents = initialLatents(request.seed, request);
    let step = 1;
    const walk = sampler.sample({
      latents,
      points: pathOf(request.sampler, schedule, request.steps),
      schedule,
      denoise: (noisy, at) => {
        const acts = unconditional !== null && isGuided(request, step, request.steps);
        const guidance = acts ? { scale: request.guidanceScale, unconditional } : null;
        return denoiser.denoise({
          job,
          transformer,
          latents: noisy,
          latentHeight: size.height,
          latentWidth: size.width,
          at,
          conditioning,
          guidance,
        });
      },
      noise: (after) => stepNoise(request.seed, after, latents.length),
    });
    for await (const { denoised, latents: next } of walk) {
      latents = next;
      const frame = frames.isDue() ? latentFrame(denoised, size, latentRgb) : null;
      yield { type: 'step', step, steps: request.steps, frame };
      step++;
    }

    yield clock.enter('DECODING');
    const picture = await turns.run(job, (pause) =>
      vae.decode(latents, size.height, size.width, pause),
    );
    checkFinite(picture.data, 'the decoded picture');
    yield {
      type: 'image',
      width: picture.width,
      height: picture.height,
      rgb: pictureBytes(picture.data),
      timings: clock.stop(),
    };
  } finally {
    await release();
  }
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
