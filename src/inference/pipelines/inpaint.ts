import { BadInput } from '../../errors.ts';
import type { ImageRequest, SourceImage } from '../request.ts';
import { initialLatents, latentMask } from '../sampling/latents.ts';
import { addNoise } from '../sampling/points.ts';
import { type ImageJob, makeImage, type PipelineContext } from './image.ts';
import { checkSource, sourceLatents, stepsTaken } from './image-to-image.ts';
import type { JobEvent } from './job-event.ts';

/** A source of which the mask says what is repainted. */
export type MaskedSource = SourceImage & { readonly mask: Uint8Array };

/**
 * Part of an image anew, the rest as it is: image to image in which the latents outside the mask stay
 * those of the source, at the noise of each step (RePaint, arXiv 2201.09865, equation 8; as diffusers'
 * `StableDiffusionInpaintPipeline` does with models that have no channels for a mask). There, they are put
 * back after each step. Here, the estimate of the clean latents is the source's outside the mask: every
 * sampler then leads to α·source + σ·noise at its next point, which is the same.
 *
 * At strength 1 the repainted part begins as noise alone. In the end image and source are mixed by the
 * mask, pixel by pixel: those with 0 are returned exactly.
 * @throws BadInput out of the iteration
 */
export async function* inpaint(
  request: ImageRequest,
  source: MaskedSource,
  image: ImageJob,
  context: PipelineContext,
): AsyncGenerator<JobEvent, void, void> {
  checkSource(request, source);
  checkMask(request, source);
  const taken = stepsTaken(request.steps, source.strength);
  const isOpen = latentMask(source.mask, request);
  const inside = (open: Float32Array, closed: Float32Array) =>
    open.map((x, i) => (isOpen[i % isOpen.length] ? x : closed[i]!)); // (4, height/8, width/8)

  const events = makeImage(request, image, {
    ...context,
    async begin(path, loaded) {
      const clean = await sourceLatents(request, source, { image, context, loaded });
      const points = path.slice(path.length - 1 - taken);
      const noise = initialLatents(request.seed, request);
      const noisy = addNoise(clean, noise, points[0]!);
      return {
        points,
        latents: source.strength === 1 ? inside(noise, noisy) : noisy,
        constrain: (denoised) => inside(denoised, clean),
      };
    },
  });
  for await (const event of events) {
    yield event.type === 'image' ? { ...event, rgb: compose(event.rgb, source) } : event;
  }
}

/** The repainted image over its source, as much of it as the mask says: bytes of RGB. */
function compose(painted: Uint8Array, { rgb, mask }: MaskedSource): Uint8Array {
  return painted.map((value, i) => {
    const open = mask[Math.floor(i / 3)]! / 255;
    return Math.round(open * value + (1 - open) * rgb[i]!);
  });
}

function checkMask({ width, height }: ImageRequest, { mask }: MaskedSource): void {
  const path = ['source', 'mask'];
  if (mask.length !== width * height) {
    throw new BadInput({
      path,
      expected: `${width * height} bytes (${width} x ${height}, one for each pixel)`,
      got: mask.length,
    });
  }
  if (mask.every((value) => value === 0)) {
    throw new BadInput({
      path,
      expected: 'at least one pixel above 0, which is to be repainted',
      got: { phrase: 'a mask that is black all over', value: 0 },
    });
  }
}
