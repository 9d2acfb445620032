import { crc32, inflateSync } from 'node:zlib';

/**
 * Text inside PNG files (PNG specification, third edition, §5 and §11.3.3): chunks of length, type,
 * content and CRC. The pixels are sharp's business; the words are ours, because what it writes is Latin-1 only.
 */

export const pngSignature = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Some readers give up on keywords over 79 bytes; the specification forbids them. */
const maxKeywordBytes = 79;
/** Inflating a text stops here: a few kilobytes can hide gigabytes. */
const maxTextBytes = 4 * 1024 * 1024;

export type PngText = { readonly keyword: string; readonly text: string };

/** The file with these texts right after its header, where readers meet them before any pixels. */
export function addTexts(png: Buffer, texts: readonly PngText[]): Buffer {
  const afterHeader = pngSignature.length + 12 + 13;
  const chunks = texts.map(({ keyword, text }) => textChunk(keyword, text));
  return Buffer.concat([png.subarray(0, afterHeader), ...chunks, png.subarray(afterHeader)]);
}

/** The first text of each keyword. Chunks that are damaged, or inflate without end, are passed over. */
export function readTexts(png: Uint8Array): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { type, content } of chunksOf(png)) {
    const found = readText(type, content);
    if (found && !texts.has(found.keyword)) texts.set(found.keyword, found.text);
  }
  return texts;
}

export function isPng(bytes: Uint8Array): boolean {
  return pngSignature.every((byte, i) => bytes[i] === byte);
}

/** Latin-1 texts as `tEXt`, which every reader knows; all others as `iTXt`, which is UTF-8. */
function textChunk(keyword: string, text: string): Buffer {
  const name = Buffer.from(keyword, 'latin1');
  if (name.length === 0 || name.length > maxKeywordBytes || /[^\x20-\x7e]/.test(keyword)) {
    throw new RangeError(`Expected a keyword of 1 to 79 plain characters, but got "${keyword}"`);
  }
  const clean = text.replaceAll('\0', '');
  const isLatin1 = /^[\x09\x0a\x0d\x20-\x7e\xa0-\xff]*$/.test(clean);
  if (isLatin1 && keyword !== xmpKeyword) {
    return chunk('tEXt', Buffer.concat([name, Buffer.of(0), Buffer.from(clean, 'latin1')]));
  }
  // Keyword, end, not compressed, method 0, no language, no translated keyword.
  return chunk('iTXt', Buffer.concat([name, Buffer.of(0, 0, 0, 0, 0), Buffer.from(clean, 'utf8')]));
}

/** XMP specification part 3, §1.1.5: always `iTXt`, never compressed. */
export const xmpKeyword = 'XML:com.adobe.xmp';

function chunk(type: string, content: Buffer): Buffer {
  const bytes = Buffer.alloc(12 + content.length);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, 'latin1');
  content.copy(bytes, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + content.length)), 8 + content.length);
  return bytes;
}

function* chunksOf(png: Uint8Array) {
  if (!isPng(png)) return;
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  for (let at = pngSignature.length; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const end = at + 12 + length;
    if (end > bytes.length) return;
    const isSound = crc32(bytes.subarray(at + 4, end - 4)) === bytes.readUInt32BE(end - 4);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (isSound) yield { type, content: bytes.subarray(at + 8, end - 4) };
    at = end;
  }
}

function readText(type: string, content: Buffer): PngText | undefined {
  const keywordEnd = content.indexOf(0);
  if (keywordEnd < 1) return undefined;
  const keyword = content.toString('latin1', 0, keywordEnd);
  switch (type) {
    case 'tEXt':
      return { keyword, text: content.toString('latin1', keywordEnd + 1) };
    case 'zTXt': {
      const inflated = inflate(content.subarray(keywordEnd + 2));
      return inflated && { keyword, text: inflated.toString('latin1') };
    }
    case 'iTXt': {
      const isCompressed = content[keywordEnd + 1] === 1;
      const languageEnd = content.indexOf(0, keywordEnd + 3);
      const start = content.indexOf(0, languageEnd + 1) + 1;
      if (languageEnd < 0 || start === 0) return undefined;
      const text = content.subarray(start);
      const plain = isCompressed ? inflate(text) : text;
      return plain && { keyword, text: plain.toString('utf8') };
    }
    default:
      return undefined;
  }
}

function inflate(bytes: Buffer): Buffer | undefined {
  try {
    return inflateSync(bytes, { maxOutputLength: maxTextBytes });
  } catch {
    return undefined; // Damaged, or a bomb: as good as not there.
  }
}
