/**
 * Python's idea of characters, which captions were cleaned by: `\w`, `\d`, `\s` and `\b` over all of
 * Unicode, and a `strip` that knows other white space than JavaScript's `trim`.
 */
const letters = '\\p{L}\\p{N}_';
const digits = '\\p{Nd}';
const spaces =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const boundary = `(?:(?<=[${letters}])(?![${letters}])|(?<![${letters}])(?=[${letters}]))`;

const classes: Readonly<Record<string, string>> = { w: letters, d: digits, s: spaces };
const leadingSpaces = new RegExp(`^[${spaces}]+`, 'u');
const trailingSpace = new RegExp(`[${spaces}]`, 'u');

/** `str.strip()`: without U+FEFF, with U+0085 and U+001C to U+001F. */
export function strip(text: string): string {
  let end = text.length;
  while (end > 0 && trailingSpace.test(text[end - 1]!)) end--;
  return text.slice(0, end).replace(leadingSpaces, '');
}

/**
 * A global regular expression with Python's meaning of `\w \d \s \S \D \b`:
 * ``python`\b\d{6,}\b` ``. Not translated: `$` before a final line break.
 */
export function python(pattern: TemplateStringsArray): RegExp {
  return new RegExp(pythonSource(pattern.raw.join('')), 'gu');
}

/** The source of such an expression. */
export function pythonSource(source: string): string {
  let inClass = false;
  return source.replace(/\\.|[[\]]/gs, (token) => {
    if (token === '[' || token === ']') {
      inClass = token === '[';
      return token;
    }
    const name = token[1]!;
    if (name === 'b') return boundary;
    const known = classes[name.toLowerCase()];
    if (known === undefined) return token;
    if (name !== name.toLowerCase()) return `[^${known}]`;
    return inClass ? known : `[${known}]`;
  });
}
