import { folderLimits } from '../onnx/limits.ts';

/** A character map that cannot be read; `tokenizer.ts` adds the file's name. */
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
  checkReplacements(replacements);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  return (text) => {
    const input = new TextEncoder().encode(text);
    let output = new Uint8Array(2 * input.length + folderLimits.replacementBytes);
    let size = 0;
    for (let position = 0; position < input.length; ) {
      const match = longestPrefix(trie, input, position);
      const length = match?.length ?? characterLength(input[position]!);
      const written = match
        ? replacements.subarray(match.value, replacements.indexOf(0, match.value))
        : input.subarray(position, position + length);
      if (size + written.length > output.length) output = doubled(output);
      output.set(written, size);
      size += written.length;
      position += length;
    }
    return decoder.decode(output.subarray(0, size));
  };
}

/** All of them end, and none is so long that a short text could become a very long one. */
function checkReplacements(replacements: Uint8Array): void {
  const longest = folderLimits.replacementBytes;
  for (let start = 0; start < replacements.length; ) {
    const end = replacements.indexOf(0, start);
    if (end < 0) throw new CharsmapDamaged('Expected a character map whose entries end');
    if (end - start > longest) {
      throw new CharsmapDamaged(
        `Expected a character map with entries of at most ${longest} bytes, but got ${end - start}`,
      );
    }
    start = end + 1;
  }
}

function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * bytes.length);
  larger.set(bytes);
  return larger;
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
