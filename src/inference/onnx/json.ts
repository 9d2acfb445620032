import { folderLimits } from './limits.ts';

/** @throws SyntaxError for malformed text, and for what is nested too deeply or has too many values */
export function parseJson(text: string): unknown {
  return parseJsonAndCountKeys(text).value;
}

/** The value, and how many keys were written: `JSON.parse` keeps the last of two equal ones without an error. */
export function parseJsonAndCountKeys(text: string): { value: unknown; keys: number } {
  const { depth, items, keys } = scan(text);
  const { jsonDepth, jsonItems } = folderLimits;
  if (depth > jsonDepth) {
    throw new SyntaxError(`Expected at most ${jsonDepth} levels of nesting, but got ${depth}`);
  }
  if (items > jsonItems) {
    throw new SyntaxError(`Expected at most ${jsonItems} values, but got ${items}`);
  }
  return { value: JSON.parse(text), keys };
}

/** Before it is parsed. `items` are values: one for each list, object and comma. */
function scan(text: string): { depth: number; items: number; keys: number } {
  let [depth, deepest, items, keys] = [0, 0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '{':
      case '[':
        deepest = Math.max(deepest, ++depth);
        items++;
        break;
      case ',':
        items++;
        break;
      case '}':
      case ']':
        depth--;
        break;
      case '"':
        i = endOfString(text, i);
        while (/\s/.test(text[i + 1] ?? '')) i++;
        if (text[i + 1] === ':') keys++;
        break;
    }
  }
  return { depth: deepest, items, keys };
}

/** Index of the quote that closes the string opened at `start`, or of the text's end. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

/** Keys of a parsed value, those of the values inside it included. */
export function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, item) => sum + countKeys(item), own);
}
