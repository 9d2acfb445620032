import { BadInput } from '../../errors.ts';

/** Text of one weight, without the brackets that gave it. */
export type WeightedText = { readonly text: string; readonly weight: number };

/** What a bracket without a number multiplies by; a square one divides. */
const emphasis = 1.1;
/** Of the product of all brackets around a text, either sign. */
const maxWeight = 10;

/** One of: an escape, a bracket, an end with a number, text without any of these. */
const tokens = /\\[()[\]\\]|[\\()[\]]|:\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\)|[^\\()[\]:]+|:/g;

type Part = { readonly text: string } | { readonly opens: Bracket } | { readonly closes: Kind };
type Kind = 'round' | 'square';
/** `factor` is what it multiplies by; a number at its end replaces the usual one. */
type Bracket = { readonly kind: Kind; factor: number };

/**
 * A prompt with weights, as the AUTOMATIC1111 web UI reads it: `(text)` counts 1.1 times, `[text]` 1/1.1 times,
 * `(text:1.3)` 1.3 times; brackets inside each other multiply, and `\(`, `\)`, `\[`, `\]` and `\\` are the
 * character itself. A bracket that closes none is text; one that is never closed holds to the end. Takes time
 * that grows with the text.
 * @returns texts in their order, neighbours of different weights
 * @throws BadInput where a weight lies beyond 10
 */
export function parseWeights(prompt: string): WeightedText[] {
  const runs: { text: string; weight: number }[] = [];
  /** Of the brackets that are open at a place: their factors, multiplied. */
  const open = { round: [1], square: [1] };
  for (const part of partsOf(prompt)) {
    if ('opens' in part) {
      const { kind, factor } = part.opens;
      open[kind].push(open[kind].at(-1)! * factor);
    } else if ('closes' in part) {
      open[part.closes].pop();
    } else if (part.text !== '') {
      const weight = checked(open.round.at(-1)! * open.square.at(-1)!);
      const last = runs.at(-1);
      if (last?.weight === weight) last.text += part.text;
      else runs.push({ text: part.text, weight });
    }
  }
  return runs;
}

/** Each bracket knows its factor by the end: the number stands behind the text that it is for. */
function partsOf(prompt: string): Part[] {
  const parts: Part[] = [];
  const open = { round: [] as Bracket[], square: [] as Bracket[] };
  const begin = (kind: Kind, factor: number) => {
    const bracket = { kind, factor };
    open[kind].push(bracket);
    parts.push({ opens: bracket });
  };
  for (const [token, digits] of prompt.matchAll(tokens)) {
    const number = digits === undefined ? null : Number(digits);
    const kind = token === ']' ? 'square' : 'round';
    const isEnd = token === ']' || token === ')' || number !== null;
    const opening = isEnd ? open[kind].pop() : undefined;
    if (token === '(') begin('round', emphasis);
    else if (token === '[') begin('square', 1 / emphasis);
    else if (opening !== undefined) {
      opening.factor = number ?? opening.factor;
      parts.push({ closes: kind });
    } else parts.push({ text: token.startsWith('\\') ? token.slice(1) : token });
  }
  return parts;
}

function checked(weight: number): number {
  if (Math.abs(weight) <= maxWeight) return weight;
  throw new BadInput({
    path: ['prompt'],
    expected: `weights from -${maxWeight} to ${maxWeight}`,
    got: { phrase: `brackets that make ${weight}` },
  });
}

/**
 * The weight of each token of a prompt: that of the place where its text stands. Tokens are found in the text in
 * order. What the caption's normalisation has changed, and so is not found, has the weight of the place that
 * was reached before.
 * @param pieces text of each token; empty for those without any, such as the end
 * @returns one weight for each token; 1 for those without text
 */
export function weightsOf(runs: readonly WeightedText[], pieces: readonly string[]): number[] {
  const lower = runs.map(({ text }) => text.normalize('NFKC').toLowerCase());
  const text = lower.join('');
  const ends: number[] = [];
  for (const { length } of lower) ends.push((ends.at(-1) ?? 0) + length);
  let place = 0;
  let run = 0;
  return pieces.map((piece) => {
    const word = piece.trim().toLowerCase();
    if (word === '') return 1;
    while (/\s/.test(text[place] ?? '')) place++;
    const found = findAhead(text, word, place);
    if (found !== null) place = found;
    while (run < ends.length - 1 && place >= ends[run]!) run++;
    if (found !== null) place += word.length;
    return runs[run]?.weight ?? 1;
  });
}

/** How far a normalised caption may have lost text, such as an address, between two tokens. */
const farthest = 300;

/** Signs only right here: normalisation changes them, and the next one of their kind may be far. */
function findAhead(text: string, word: string, from: number): number | null {
  const isWord = /[\p{L}\p{N}]/u.test(word);
  const window = text.slice(from, from + word.length + (isWord ? farthest : 0));
  const at = window.indexOf(word);
  return at < 0 ? null : from + at;
}
