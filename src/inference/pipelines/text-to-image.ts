import type { ImageRequest } from '../request.ts';
import { initialLatents } from '../sampling/latents.ts';
import { type ImageJob, makeImage, type PipelineContext } from './image.ts';
import type { JobEvent } from './job-event.ts';

/** One image from text: the whole path, from noise alone. */
export function textToImage(
  request: ImageRequest,
  image: ImageJob,
  context: PipelineContext,
): AsyncGenerator<JobEvent, void, void> {
  return makeImage(request, image, {
    ...context,
    begin: (path) => ({ points: path, latents: initialLatents(request.seed, request) }),
  });
}
