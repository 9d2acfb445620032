import type { Generation } from '../../generated/prisma/client.ts';
import {
  type GenerationSettings,
  generationSettings,
  type ImageRequest,
  imageSettings,
} from '../../inference/request.ts';

/**
 * The settings as a row keeps them: all of them as one record, and columns of those that lists filter and sort by,
 * and estimates depend on.
 */
export function columnsOf(settings: GenerationSettings) {
  const { prompt, model, sampler, seed, width, height, steps, count } = settings;
  return { settings: { ...settings }, prompt, model, sampler, seed, width, height, steps, count };
}

/** Complete, also where the row is older than a setting: that has its default then. */
export function settingsOf({ settings }: Pick<Generation, 'settings'>): GenerationSettings {
  return generationSettings.parse(settings);
}

/** What the engine is asked for: image i has the seed of the generation plus i. */
export function imageRequestOf(
  row: Pick<Generation, 'settings' | 'ownerId'>,
  index: number,
): ImageRequest {
  const settings = settingsOf(row);
  const seed = settings.seed + index;
  return { ...imageSettings.parse(settings), seed, share: row.ownerId };
}
