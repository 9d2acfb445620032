/** A character map that cannot be read; `tokenizer.ts` says which file it came from. */
export class CharsmapDamaged extends Error {
  override readonly name = 'CharsmapDamaged';
}

/**
 * SentencePiece's "precompiled charsmap": at each position the longest entry wins, any other
 * character stays (`Normalizer::NormalizePrefix` in sentencepiece). The bytes are the trie's size
 * (u32, little-endian), a Darts-clone double-array trie over UTF-8 of 32-bit units, and the
 * replacements, each ended by a zero byte.
 * @throws CharsmapDamaged
 */
export function createCharsmap(bytes: Uint8Array): (text: string) => string {
  if (bytes.length === 0) return (text) => text;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) {
    throw new CharsmapDamaged(
      `Expected a character map with a trie inside its ${bytes.length} bytes, but got ${trieBytes} bytes of trie`,
    );
  }
  const trie = Uint32Array.from({ length: trieBytes / 4 }, (_, i) =>
    view.getUint32(4 + 4 * i, true),
  );
  const replacements = bytes.subarray(4 + trieBytes);
  const decoder = new TextDecoder();

  function replacementAt(start: number): string {
    const end = replacements.indexOf(0, start);
    if (end < 0) throw new CharsmapDamaged('Expected a character map whose entries end');
    return decoder.decode(replacements.subarray(start, end));
  }

  return (text) => {
    const input = new TextEncoder().encode(text);
    let normalized = '';
    for (let position = 0; position < input.length; ) {
      const match = longestPrefix(trie, input, position);
      const length = match?.length ?? characterLength(input[position]!);
      normalized += match
        ? replacementAt(match.value)
        : decoder.decode(input.subarray(position, position + length));
      position += length;
    }
    return normalized;
  };
}

/** Darts-clone's `commonPrefixSearch`, keeping the last hit. A unit: label, offset to children, leaf. */
function longestPrefix(trie: Uint32Array, input: Uint8Array, start: number) {
  let best: { value: number; length: number } | undefined;
  let node = offsetOf(trie[0]!);
  for (let position = start; position < input.length; position++) {
    node ^= input[position]!;
    const unit = trie[node];
    if (unit === undefined || (unit & 0x800000ff) !== input[position]) return best;
    node ^= offsetOf(unit);
    if ((unit >>> 8) & 1) {
      best = { value: (trie[node] ?? 0) & 0x7fffffff, length: position + 1 - start };
    }
  }
  return best;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** Bytes of the UTF-8 character that begins with this one. */
function characterLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
