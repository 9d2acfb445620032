import { BadInput } from '../../errors.ts';
import type { ImageRequest, SourceImage } from '../request.ts';
import { encodingNoise, initialLatents } from '../sampling/latents.ts';
import { addNoise } from '../sampling/points.ts';
import { type ImageJob, makeImage, type PipelineContext } from './image.ts';
import type { JobEvent } from './job-event.ts';
import type { LoadedModel } from './model-loader.ts';
import { imagePlanes } from './preview.ts';

/**
 * One image from another: noise is added to the latents of the source, as much as there is somewhere
 * on the sampler's path, and taken away along the rest of it (SDEdit, arXiv 2108.01073; as diffusers'
 * `StableDiffusionImg2ImgPipeline` cuts the path by strength).
 * @throws BadInput out of the iteration
 */
export async function* imageToImage(
  request: ImageRequest,
  source: SourceImage,
  image: ImageJob,
  context: PipelineContext,
): AsyncGenerator<JobEvent, void, void> {
  checkSource(request, source);
  const taken = stepsTaken(request.steps, source.strength);
  yield* makeImage(request, image, {
    ...context,
    async begin(path, loaded) {
      const clean = await sourceLatents(request, source, { image, context, loaded });
      const points = path.slice(path.length - 1 - taken);
      const latents = addNoise(clean, initialLatents(request.seed, request), points[0]!);
      return { points, latents };
    },
  });
}

/** Clean latents of the source (4, height/8, width/8), drawn from the distribution that the VAE gives. */
export async function sourceLatents(
  request: ImageRequest,
  { rgb }: SourceImage,
  { image, context, loaded }: { image: ImageJob; context: PipelineContext; loaded: LoadedModel },
): Promise<Float32Array> {
  const { model, vae } = loaded;
  const { mean, logvar } = await context.sources.of(model.vae.identity, rgb, () =>
    context.turns.run(image.job, (pause) =>
      vae.encode(imagePlanes(rgb), request.height, request.width, pause),
    ),
  );
  const noise = encodingNoise(request.seed, mean.length);
  return mean.map((m, i) => (m + Math.exp(logvar[i]! / 2) * noise[i]!) * vae.scalingFactor);
}

/** How many of the steps are taken, the last ones: `min(int(steps · strength), steps)` in diffusers. */
export function stepsTaken(steps: number, strength: number): number {
  return Math.min(Math.floor(steps * strength), steps);
}

/** @throws BadInput */
export function checkSource(
  { width, height, steps }: ImageRequest,
  { rgb, strength }: SourceImage,
): void {
  if (rgb.length !== 3 * width * height) {
    throw new BadInput({
      path: ['source'],
      expected: `${3 * width * height} bytes of RGB (${width} x ${height})`,
      got: rgb.length,
    });
  }
  if (!(strength > 0 && strength <= 1) || stepsTaken(steps, strength) < 1) {
    const least = Math.ceil((1 / steps) * 1000) / 1000;
    throw new BadInput({
      path: ['source', 'strength'],
      expected: `${least} to 1 with ${steps} steps, so that at least one is taken`,
      got: strength,
      min: least,
      max: 1,
    });
  }
}
