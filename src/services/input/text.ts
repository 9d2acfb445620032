import type { Mismatch } from '../../errors.ts';

/** In characters: UTF-16 code units, as `length` in JavaScript and `maxlength` in HTML count them. */
export type TextLimit = { readonly min: number; readonly max: number };

/** What PostgreSQL's text cannot hold. */
const unstorable = /\0|\p{Surrogate}/u;
/**
 * Characters that show nothing: white space, controls, formats, fillers, what is not assigned, the empty braille pattern, the
 * placeholder of an object, the empty note head.
 */
const invisible =
  /[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}\p{Cf}\p{Cn}\u2800\ufffc\u{1d159}]/gu;
/**
 * Controls, ends of lines and paragraphs, and what turns the direction of the text around it (Unicode Standard Annex 9); also
 * what shows nothing and joins nothing, so that two names would look the same. The joiners are not among them: emoji and
 * Persian need them. Tags are letters of a flag (Unicode Technical Standard 51) or nothing.
 */
const misleading =
  /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|(?<!\u{1f3f4}[\u{e0020}-\u{e007e}]*)[\u{e0000}-\u{e007f}]/u;

/** Length, and what can be stored. What is left out passes. */
export function textProblems(
  path: readonly string[],
  text: string | null | undefined,
  { min, max }: TextLimit,
): Mismatch[] {
  if (text == null) return [];
  if (text.length < min || text.length > max) {
    const range = min === 0 ? `at most ${max}` : `${min} to ${max}`;
    const expected = `${range} characters (UTF-16 code units)`;
    return [{ path, expected, got: text.length, min, max }];
  }
  if (!unstorable.test(text)) return [];
  const got = { phrase: 'a NUL or half a surrogate pair' };
  return [{ path, expected: 'plain text', got }];
}

/** The same for what people tell apart by reading it: it shows something, and what it shows is what it says. */
export function nameProblems(
  path: readonly string[],
  name: string | null | undefined,
  limit: TextLimit,
): Mismatch[] {
  const problems = textProblems(path, name, limit);
  if (name == null || problems.length > 0) return problems;
  if (name.replace(invisible, '') === '') {
    const got = { phrase: `"${escapeInvisible(name)}"` };
    return [{ path, expected: 'at least one visible character', got }];
  }
  return referenceProblems(path, name, limit);
}

/** The same for what programs compare and people may see: it may be empty, but shows what it says. */
export function referenceProblems(
  path: readonly string[],
  reference: string | null | undefined,
  limit: TextLimit,
): Mismatch[] {
  const problems = textProblems(path, reference, limit);
  if (reference == null || problems.length > 0) return problems;
  const found = misleading.exec(reference)?.[0];
  if (found === undefined) return [];
  const got = { phrase: escapeInvisible(found) };
  return [{ path, expected: 'no control, direction or invisible characters', got }];
}

/** As `\u{200b}`: it would show nothing in a message. */
function escapeInvisible(text: string): string {
  return text
    .slice(0, 20)
    .replace(invisible, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** Of the texts of a list's filter, before the database sees them; what is left out passes. */
export function filterProblems<Name extends string>(
  filter: { readonly [name in Name]?: string | null },
  names: readonly Name[],
  max: number,
): Mismatch[] {
  return names.flatMap((name) => textProblems(['filter', name], filter[name], { min: 0, max }));
}

/** For `contains` and its like, where the database reads % and _ as wildcards. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
