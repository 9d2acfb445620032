import { BadInput, type Mismatch } from '../../errors.ts';

/** @throws BadInput with all of them, where there are any */
export function refuse(problems: readonly Mismatch[]): void {
  const [first, ...others] = problems;
  if (first !== undefined) throw new BadInput(first, ...others);
}
