/** Texts and the number that belongs to each, to be found as prefixes of a text. */
export type Trie = {
  /**
   * Calls `onFound` for each text that stands at `start`, shortest first.
   * Steps: at most the length of the longest text.
   */
  prefixes(text: string, start: number, onFound: (value: number, end: number) => void): void;
};

/** @param entries none of them empty; of two equal ones the last counts */
export function createTrie(entries: Iterable<readonly [text: string, value: number]>): Trie {
  /** From a node and a UTF-16 code unit, as one number, to the next node. */
  const edges = new Map<number, number>();
  const values: (number | undefined)[] = [undefined];
  for (const [text, value] of entries) {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const edge = node * 0x10000 + text.charCodeAt(i);
      let next = edges.get(edge);
      if (next === undefined) {
        next = values.push(undefined) - 1;
        edges.set(edge, next);
      }
      node = next;
    }
    values[node] = value;
  }
  return {
    prefixes(text, start, onFound) {
      let node = 0;
      for (let i = start; i < text.length; i++) {
        const next = edges.get(node * 0x10000 + text.charCodeAt(i));
        if (next === undefined) return;
        node = next;
        const value = values[node];
        if (value !== undefined) onFound(value, i + 1);
      }
    },
  };
}
