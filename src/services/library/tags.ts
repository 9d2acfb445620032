import type { Mismatch } from '../../errors.ts';
import { nameProblems } from '../input/text.ts';
import { assetLimits } from './limits.ts';

/** How many tags one filter may name, and one change may add. */
export const filterTags = assetLimits.tags.max;

/** Of a list of tags: each has a visible character, and shows what it says. What is left out passes. */
export function tagProblems(
  path: readonly string[],
  tags: readonly string[] | null | undefined,
  max: number,
): Mismatch[] {
  if (tags == null) return [];
  if (tags.length > max) return [{ path, expected: `at most ${max} tags`, got: tags.length, max }];
  return tags.flatMap((tag, i) => nameProblems([...path, String(i)], tag, assetLimits.tag));
}
