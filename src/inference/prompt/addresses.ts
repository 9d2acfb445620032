import { pythonSource } from './python-text.ts';

/** From the dot of a known top-level domain to the end of what is taken for an address. */
const tail = new RegExp(
  pythonSource(String.raw`[.](?:com|co|ru|net|org|edu|gov|it)[\w\/\-]*\b\/?(?!@)`),
  'uy',
);
const run = /[a-zA-Z0-9.-]*/y;

/**
 * A text without its web addresses: what diffusers' `_clean_caption` removes by
 * `\b(<scheme>:(?:\/{1,3}|[a-zA-Z0-9%])|[a-zA-Z0-9.\-]+[.](?:com|co|…)[\w\/\-]*\b\/?(?!@))`. That
 * expression looks for a domain from every word of "a.a.a…" to its end; here each dot is looked at
 * once.
 */
export function withoutAddresses(text: string, scheme: 'https?' | 'www'): string {
  const start = new RegExp(
    pythonSource(String.raw`\b(?:(${scheme}:(?:\/{1,3}|[a-zA-Z0-9%]))|[a-zA-Z0-9.\-])`),
    'gu',
  );
  const endOfDomain = createDomainSearch(text);
  let kept = '';
  let begun = 0;
  for (let found = start.exec(text); found !== null; found = start.exec(text)) {
    const end = found[1] === undefined ? endOfDomain(found.index) : start.lastIndex;
    if (end === null) {
      start.lastIndex = found.index + 1;
      continue;
    }
    kept += text.slice(begun, found.index);
    begun = end;
    start.lastIndex = end;
  }
  return kept + text.slice(begun);
}

/** Where the domain that begins at a place ends, the longest one; null where none begins. To be asked from left to right. */
function createDomainSearch(text: string): (start: number) => number | null {
  let runEnd = 0;
  let last: { dot: number; end: number } | null = null;
  return (start) => {
    if (start >= runEnd) {
      run.lastIndex = start;
      run.test(text);
      runEnd = run.lastIndex;
      last = null;
      for (let dot = text.indexOf('.', start); dot >= 0 && dot < runEnd; ) {
        tail.lastIndex = dot;
        if (tail.test(text)) last = { dot, end: tail.lastIndex };
        tail.lastIndex = 0;
        dot = text.indexOf('.', dot + 1);
      }
    }
    return last !== null && last.dot > start ? last.end : null;
  };
}
