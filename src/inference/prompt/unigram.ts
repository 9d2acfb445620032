import { createTrie } from './trie.ts';

/** What SentencePiece takes from the lowest score for a character that no piece has (`kUnkPenalty`). */
const unknownPenalty = 10;

/**
 * The likeliest pieces that a text is made of: a unigram language model (Kudo, "Subword
 * regularization", arXiv 1804.10959, section 3.2) and Viterbi's algorithm, as in SentencePiece's
 * `unigram_model.cc`. Unknown characters in a row are one id. Time and memory grow with the text.
 * @returns ids; the id of a piece is its index
 */
export function createUnigram(
  pieces: readonly (readonly [piece: string, score: number])[],
  unknownId: number,
): (text: string) => number[] {
  const lowest = pieces.reduce((least, [, score]) => Math.min(least, score), Infinity);
  const unknownScore = lowest - unknownPenalty;
  const scores = Float64Array.from(pieces, ([, score]) => score);
  scores[unknownId] = unknownScore;
  const trie = createTrie(pieces.flatMap(([piece], id) => (piece === '' ? [] : [[piece, id]])));

  return (text) => {
    // Of the likeliest way to each place in the text: its score, its last piece and where that begins.
    const best = new Float64Array(text.length + 1).fill(Number.NEGATIVE_INFINITY);
    const from = new Int32Array(text.length + 1).fill(-1);
    const last = new Int32Array(text.length + 1);
    best[0] = 0;
    from[0] = 0;
    const reach = (start: number, end: number, id: number) => {
      const score = best[start]! + scores[id]!;
      if (from[end] !== -1 && score <= best[end]!) return;
      best[end] = score;
      from[end] = start;
      last[end] = id;
    };
    for (let start = 0; start < text.length; start++) {
      if (from[start] === -1) continue; // Inside of a character.
      const next = start + (text.codePointAt(start)! > 0xffff ? 2 : 1);
      let isKnown = false;
      trie.prefixes(text, start, (id, end) => {
        reach(start, end, id);
        isKnown ||= end === next;
      });
      if (!isKnown) reach(start, next, unknownId);
    }
    const ids: number[] = [];
    for (let end = text.length; end > 0; end = from[end]!) {
      const id = last[end]!;
      if (id !== unknownId || ids.at(-1) !== unknownId) ids.push(id);
    }
    return ids.reverse();
  };
}
