import type { Mismatch } from '../../errors.ts';
import { idProblems, type NodeType } from './global-id.ts';
import { changeIds } from './limits.ts';

/** Of a change of several: how many there are, and what each is. */
export function idsProblems(type: NodeType, ids: readonly string[]): Mismatch[] {
  const { min, max } = changeIds;
  if (ids.length < min || ids.length > max) {
    return [{ path: ['ids'], expected: `${min} to ${max} ids`, got: ids.length, min, max }];
  }
  return ids.flatMap((id, i) => idProblems(type, id, ['ids', String(i)]));
}
