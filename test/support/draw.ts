import type { Engine } from '../../src/inference/engine/engine.ts';
import { type EngineEvent, type ImageRequest, imageSettings } from '../../src/inference/request.ts';

/** An image of a tiny model called `random`. */
export const request: ImageRequest = {
  ...imageSettings.parse({
    ...{ model: 'random', prompt: 'a red boat on the sea' },
    ...{ width: 64, height: 64, steps: 4, seed: 7 },
  }),
  share: 'a',
};

export type ImageEvent = Extract<EngineEvent, { type: 'image' }>;

export const never = () => new AbortController().signal;

/** The image of a request, with some settings changed. */
export async function draw(
  engine: Engine,
  changes: Partial<ImageRequest> = {},
): Promise<ImageEvent> {
  for await (const event of engine.generate({ ...request, ...changes }, { signal: never() })) {
    if (event.type === 'image') return event;
  }
  throw new Error('Expected an image, but got none');
}
