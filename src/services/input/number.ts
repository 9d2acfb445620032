import type { Mismatch } from '../../errors.ts';

export type NumberLimit = { readonly min: number; readonly max: number };

/** What is left out passes; NaN, infinities and what is no number do not. `hint`: more of what was expected. */
export function numberProblems(
  path: readonly string[],
  value: number | string | null | undefined,
  { min, max }: NumberLimit,
  { whole = true, hint = '' }: { whole?: boolean; hint?: string } = {},
): Mismatch[] {
  if (value == null) return [];
  const isWithin = typeof value === 'number' && value >= min && value <= max;
  if (isWithin && (!whole || Number.isInteger(value))) return [];
  const expected = `a ${whole ? 'whole ' : ''}number from ${min} to ${max}${hint}`;
  return [{ path, expected, got: value, min, max }];
}
