import type { Conditioning } from '../networks/transformer.ts';
import type { ImageRequest } from '../request.ts';
import { samplers } from '../sampling/samplers.ts';
import type { Denoising } from './denoising.ts';
import { type Embeddings, weighted } from './embeddings.ts';
import type { LoadedModel } from './model-loader.ts';
import type { Job, Turns } from './turns.ts';

/**
 * What the denoising is guided by: both prompts as the transformer takes them, without guidance the negative one
 * left out. Samplers for distilled weights, which have guidance built in, take none of either kind.
 */
export async function conditionPrompts(
  request: ImageRequest,
  context: { job: Job; loaded: LoadedModel; turns: Turns; embeddings: Embeddings },
): Promise<Pick<Denoising, 'conditioning' | 'unconditional' | 'perturbedScale'>> {
  const { usesGuidance } = samplers[request.sampler];
  const isGuided = usesGuidance && request.guidanceScale > 1;
  const conditioning = await condition(request.prompt, request, context);
  const unconditional = isGuided ? await condition(request.negativePrompt, request, context) : null;
  const perturbedScale = usesGuidance ? request.perturbedAttentionScale : 0;
  return { conditioning, unconditional, perturbedScale };
}

/** Tokens, then their embedding, weighted where that is asked for, then keys and values of the transformer's layers. */
async function condition(
  prompt: string,
  { cleanCaption, promptWeighting }: Pick<ImageRequest, 'cleanCaption' | 'promptWeighting'>,
  { job, loaded, turns, embeddings }: Parameters<typeof conditionPrompts>[1],
): Promise<Conditioning> {
  const { model, textEncoder, transformer } = loaded;
  const how = { isCleaned: cleanCaption, isWeighted: promptWeighting };
  const { ids, weights } = model.readPrompt(prompt, how);
  const caption = await embeddings.of(model.textEncoder.identity, ids, () =>
    turns.run(job, (pause) => textEncoder.encode(ids, pause)),
  );
  return turns.run(job, () =>
    transformer.condition(weights === null ? caption : weighted(caption, weights)),
  );
}
