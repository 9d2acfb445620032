import { DomainError } from '../../errors.ts';
import { type Dtype, dtypes, encodeFloats, type FloatDtype, isDtype } from './dtype.ts';
import {
  describeContent,
  FileDamaged,
  type FileStamp,
  FileUnreadable,
  type OpenFile,
  openFile,
} from './file.ts';
import { countKeys, parseJsonAndCountKeys } from './json.ts';
import { folderLimits } from './limits.ts';

/** Where a tensor's bytes lie: little-endian, row-major. Offsets and lengths in bytes, from the file's start. */
export type TensorEntry = {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Absolute, symbolic links resolved. */
  readonly file: string;
  readonly offset: number;
  readonly length: number;
};

export type SafetensorsHeader = {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly stamp: FileStamp;
};

/**
 * Read the header of a `.safetensors` file, and hold the file to every rule of the format: ranges
 * without holes or overlap from the header to the end of the file, lengths that follow from shape
 * and dtype, no key twice. Source: safetensors README and `safetensors/src/tensor.rs`.
 *
 * @throws FileUnreadable; FileDamaged naming the file, what was expected and what is there.
 */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  const opened = await openFile(file);
  try {
    const header = await readHeader(file, opened);
    const { path } = opened.stamp;
    const dataStart = 8 + header.length;
    const entries = parseHeader(header, { file, path, dataStart, fileSize: opened.size });
    return { entries, stamp: opened.stamp };
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw new FileUnreadable(file, String(cause), { cause });
  } finally {
    await opened.handle.close();
  }
}

async function readHeader(file: string, { handle, size }: OpenFile): Promise<Buffer> {
  const start = Buffer.alloc(Math.min(size, 512));
  await handle.read(start, 0, start.length, 0);
  const content = describeContent(start);
  if (content !== null) throw new FileUnreadable(file, `it is ${content}`);
  if (/^\s*\{\s*"/.test(start.toString('latin1'))) {
    const text = start.toString('utf8').slice(0, 100).trim();
    throw new FileUnreadable(
      file,
      `it is JSON, such as a server sends in place of a file: ${text}`,
    );
  }
  if (size < 8) {
    throw new FileDamaged(file, `Expected a header length of 8 bytes, but got ${size} bytes`);
  }
  const headerBytes = Number(start.readBigUInt64LE());
  if (headerBytes > folderLimits.headerBytes) {
    throw new FileDamaged(
      file,
      `Expected a header of at most ${folderLimits.headerBytes} bytes, but got ${headerBytes}`,
    );
  }
  if (8 + headerBytes > size) {
    throw new FileDamaged(
      file,
      `Expected a header of ${headerBytes} bytes, but got a file of ${size} bytes`,
    );
  }
  const header = Buffer.alloc(headerBytes);
  await handle.read(header, 0, headerBytes, 8);
  return header;
}

type HeaderOf = { file: string; path: string; dataStart: number; fileSize: number };

function parseHeader(
  header: Buffer,
  { file, path, dataStart, fileSize }: HeaderOf,
): Map<string, TensorEntry> {
  const fail = (problem: string, options?: ErrorOptions): never => {
    throw new FileDamaged(file, problem, options);
  };
  let parsed: unknown;
  try {
    // A byte order mark is kept, and refused by the parser, as the reference does.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
    const { value, keys } = parseJsonAndCountKeys(text);
    if (keys !== countKeys(value)) fail('Expected each key once, but got a key twice');
    parsed = value;
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    fail(`Expected a JSON header, but got malformed text (${(cause as Error).message})`, { cause });
  }
  if (!isRecord(parsed)) return fail('Expected a JSON object as header, but got something else');

  const entries = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      const isTexts =
        isRecord(value) && Object.values(value).every((one) => typeof one === 'string');
      if (value !== null && !isTexts)
        fail('Expected texts in __metadata__, but got something else');
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
    if (!isDtype(dtype)) {
      return fail(`Expected a known dtype for ${name}, but got ${JSON.stringify(dtype)}`);
    }
    if (!isCounts(shape)) {
      return fail(
        `Expected a shape of whole numbers for ${name}, but got ${JSON.stringify(shape)}`,
      );
    }
    if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
      return fail(`Expected [begin, end] for ${name}, but got ${JSON.stringify(offsets)}`);
    }
    const [begin, end] = offsets as [number, number];
    if (dataStart + end > fileSize) {
      fail(
        `Expected data of ${name} up to byte ${dataStart + end}, but got a file of ${fileSize} bytes (cut off?)`,
      );
    }
    const length = (countElements(shape) * dtypes[dtype].bits) / 8;
    if (end - begin !== length) {
      fail(
        `Expected ${length} bytes for ${name} (${dtype} [${shape.join(', ')}]), but got ${end - begin}`,
      );
    }
    entries.set(name, { dtype, shape, file: path, offset: dataStart + begin, length });
  }

  let position = dataStart;
  const inOrder = [...entries].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length);
  for (const [name, { offset, length }] of inOrder) {
    if (offset !== position) {
      const fault = offset > position ? 'a hole' : 'an overlap';
      fail(`Expected ${name} at byte ${position}, but got ${fault} (byte ${offset})`);
    }
    position += length;
  }
  if (position !== fileSize) {
    fail(`Expected a file of ${position} bytes, but got ${fileSize}`);
  }
  return entries;
}

export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

export type TensorToWrite = {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly dtype?: FloatDtype;
};

/** A whole `.safetensors` file: widest dtype first, then by name, as the reference writer does. */
export function encodeSafetensors(tensors: Readonly<Record<string, TensorToWrite>>): Uint8Array {
  const sorted = Object.entries(tensors)
    .map(([name, { dtype = 'F32', ...tensor }]) => ({ name, dtype, ...tensor }))
    .sort((a, b) => dtypes[b.dtype].bits - dtypes[a.dtype].bits || (a.name < b.name ? -1 : 1));
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Uint8Array[] = [];
  let position = 0;
  for (const { name, dtype, shape, data } of sorted) {
    if (data.length !== countElements(shape)) {
      throw new RangeError(
        `Expected ${countElements(shape)} values for ${name}, but got ${data.length}`,
      );
    }
    const bytes = encodeFloats(data, dtype);
    header[name] = { dtype, shape, data_offsets: [position, position + bytes.length] };
    parts.push(bytes);
    position += bytes.length;
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json + ' '.repeat((8 - (Buffer.byteLength(json) % 8)) % 8));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return new Uint8Array(Buffer.concat([prefix, padded, ...parts]));
}
