import { DomainError } from '../errors.ts';
import type { ImageFormat } from './formats.ts';
import { isPng } from './png.ts';

export type SniffedPicture = {
  readonly format: ImageFormat;
  /** Pixels as stored; a camera's turn is not applied. */
  readonly width: number;
  readonly height: number;
};

/** Bytes that are no picture of ours, or one that is too large to decode. */
export class PictureRejected extends DomainError {
  constructor(message: string, details: { max?: number; got?: number } = {}) {
    super('UPLOAD_REJECTED', message, details);
  }
}

/**
 * What a file is, by its content and never by its name, from its header alone: a picture that
 * would take gigabytes to decode is refused before a byte of it is.
 * @throws PictureRejected
 */
export function sniff(
  bytes: Uint8Array,
  { maxPixels }: { maxPixels: number } = { maxPixels: 4096 * 4096 },
): SniffedPicture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const picture = sniffPng(file) ?? sniffJpeg(file) ?? sniffWebp(file) ?? sniffAvif(file);
  if (!picture) {
    throw new PictureRejected('Expected a PNG, JPEG, WebP or AVIF picture, but got something else');
  }
  const { width, height, format } = picture;
  if (width === 0 || height === 0) {
    throw new PictureRejected(`Expected a ${format} with pixels, but got ${width} × ${height}`);
  }
  if (width * height > maxPixels) {
    throw new PictureRejected(
      `Expected at most ${maxPixels} pixels, but got ${width} × ${height} = ${width * height}`,
      { max: maxPixels, got: width * height },
    );
  }
  return picture;
}

function sniffPng(file: Buffer): SniffedPicture | undefined {
  if (!isPng(file) || file.toString('latin1', 12, 16) !== 'IHDR' || file.length < 24) return;
  return { format: 'PNG', width: file.readUInt32BE(16), height: file.readUInt32BE(20) };
}

/** ITU T.81, annex B: markers up to the frame header, which holds the size. */
function sniffJpeg(file: Buffer): SniffedPicture | undefined {
  if (file.length < 4 || file.readUInt16BE(0) !== 0xffd8 || file[2] !== 0xff) return;
  for (let at = 2; at + 9 <= file.length && file[at] === 0xff; ) {
    const marker = file[at + 1] ?? 0;
    if (marker === 0xff) {
      at++; // Padding.
    } else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2; // Markers without a length.
    } else if (isFrameHeader(marker)) {
      return {
        format: 'JPEG',
        width: file.readUInt16BE(at + 7),
        height: file.readUInt16BE(at + 5),
      };
    } else {
      at += 2 + file.readUInt16BE(at + 2);
    }
  }
  return undefined;
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which lie between them. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

/** RFC 9649: the first chunk says which of the three kinds it is, and holds the size. */
function sniffWebp(file: Buffer): SniffedPicture | undefined {
  if (file.length < 30 || file.toString('latin1', 0, 4) !== 'RIFF') return;
  if (file.toString('latin1', 8, 12) !== 'WEBP') return;
  const at = 20;
  switch (file.toString('latin1', 12, 16)) {
    case 'VP8 ':
      if (file.readUIntBE(at + 3, 3) !== 0x9d012a) return;
      return {
        format: 'WEBP',
        width: file.readUInt16LE(at + 6) & 0x3fff,
        height: file.readUInt16LE(at + 8) & 0x3fff,
      };
    case 'VP8L': {
      if (file[at] !== 0x2f) return;
      const bits = file.readUInt32LE(at + 1);
      return { format: 'WEBP', width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8X':
      return {
        format: 'WEBP',
        width: file.readUIntLE(at + 4, 3) + 1,
        height: file.readUIntLE(at + 7, 3) + 1,
      };
    default:
      return undefined;
  }
}

/**
 * ISO 23008-12 and the AVIF specification: `ispe` boxes in meta/iprp/ipco hold the sizes. Tiles and
 * thumbnails have their own, smaller ones: the largest is the picture's.
 */
function sniffAvif(file: Buffer): SniffedPicture | undefined {
  if (file.length < 16 || file.toString('latin1', 4, 8) !== 'ftyp') return;
  const brands = file.toString('latin1', 8, Math.min(file.length, file.readUInt32BE(0)));
  if (!/avi[fs]/.test(brands)) return;
  const meta = findBox(file, 'meta');
  const properties = meta && findBox(meta.subarray(4), 'iprp');
  const container = properties && findBox(properties, 'ipco');
  let largest: SniffedPicture | undefined;
  for (const { type, content } of container ? boxesOf(container) : []) {
    if (type !== 'ispe' || content.length < 12) continue;
    const [width, height] = [content.readUInt32BE(4), content.readUInt32BE(8)];
    if (!largest || width * height > largest.width * largest.height) {
      largest = { format: 'AVIF', width, height };
    }
  }
  return largest;
}

function findBox(bytes: Buffer, type: string): Buffer | undefined {
  for (const box of boxesOf(bytes)) if (box.type === type) return box.content;
  return undefined;
}

function* boxesOf(bytes: Buffer) {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    // 0: to the end of the file. 1: a 64-bit length, which no header of a picture needs.
    const end = size === 0 ? bytes.length : at + size;
    if (size === 1 || end < at + 8 || end > bytes.length) return;
    yield { type: bytes.toString('latin1', at + 4, at + 8), content: bytes.subarray(at + 8, end) };
    at = end;
  }
}
