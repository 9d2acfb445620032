import { DomainError } from '../../errors.ts';

/** What PostgreSQL's text cannot hold. */
const unstorable = /\0|\p{Surrogate}/u;

export class BadText extends DomainError {
  constructor(path: readonly string[], reason: string) {
    super('BAD_USER_INPUT', `Expected plain text in ${path.join('.')}, but got ${reason}`, {
      path,
    });
  }
}

export class TextTooLong extends DomainError {
  constructor(path: readonly string[], limit: Limit, got: number) {
    const { min, max } = limit;
    super(
      'BAD_USER_INPUT',
      `Expected ${min} to ${max} characters in ${path.join('.')}, but got ${got}`,
      { path, min, max, got },
    );
  }
}

type Limit = { readonly min: number; readonly max: number };

/**
 * Characters are UTF-16 units, as clients count them.
 * @throws BadText, TextTooLong
 */
export function checkText(path: readonly string[], text: string, limit: Limit): void {
  if (text.length < limit.min || text.length > limit.max) {
    throw new TextTooLong(path, limit, text.length);
  }
  if (unstorable.test(text)) throw new BadText(path, 'a NUL or half a surrogate pair');
}

/**
 * The texts of a list's filter, before the database sees them; what is left out passes.
 * @throws BadText, TextTooLong
 */
export function checkFilter<Name extends string>(
  filter: { readonly [name in Name]?: string | null },
  names: readonly Name[],
  max: number,
): void {
  for (const name of names) checkText(['filter', name], filter[name] ?? '', { min: 0, max });
}

/** For `contains` and its like, where the database reads % and _ as wildcards. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
