import { open } from 'node:fs/promises';
import { DomainError } from '../../errors.ts';
import { type Dtype, dtypes, encodeFloats, type FloatDtype, isDtype } from './dtype.ts';

/** Where a tensor's bytes lie: little-endian, row-major. Offsets and lengths in bytes, from the file's start. */
export type TensorEntry = {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly length: number;
};

/** A weight file that is not a well-formed `.safetensors`, or not whole. */
export class DamagedWeights extends DomainError {
  constructor(file: string, problem: string, options?: ErrorOptions) {
    super('MODEL_UNAVAILABLE', `${problem} in ${file}`, { got: file }, options);
  }
}

/** The format's own limit. */
export const maxHeaderBytes = 100_000_000;

/**
 * Read the header of a `.safetensors` file, and hold the file to every rule of the format: ranges
 * without holes or overlap from the header to the end of the file, lengths that follow from shape
 * and dtype, no key twice. Source: safetensors README and `safetensors/src/tensor.rs`.
 *
 * @throws DamagedWeights naming the file, what was expected and what is there.
 */
export async function readSafetensorsHeader(file: string): Promise<Map<string, TensorEntry>> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw new DamagedWeights(file, 'Expected a readable file, but got an error on opening', {
      cause,
    });
  });
  try {
    const { size } = await handle.stat();
    const prefix = Buffer.alloc(8);
    if (size < 8 || (await handle.read(prefix, 0, 8, 0)).bytesRead < 8) {
      throw new DamagedWeights(file, `Expected a header length of 8 bytes, but got ${size} bytes`);
    }
    const headerBytes = Number(prefix.readBigUInt64LE());
    if (headerBytes > maxHeaderBytes) {
      throw new DamagedWeights(
        file,
        `Expected a header of at most ${maxHeaderBytes} bytes, but got ${headerBytes}`,
      );
    }
    if (8 + headerBytes > size) {
      throw new DamagedWeights(
        file,
        `Expected a header of ${headerBytes} bytes, but got a file of ${size} bytes`,
      );
    }
    const header = Buffer.alloc(headerBytes);
    await handle.read(header, 0, headerBytes, 8);
    return parseHeader(header, file, 8 + headerBytes, size);
  } finally {
    await handle.close();
  }
}

function parseHeader(header: Buffer, file: string, dataStart: number, fileSize: number) {
  const fail = (problem: string, options?: ErrorOptions): never => {
    throw new DamagedWeights(file, problem, options);
  };
  if (header[0] !== 0x7b) fail('Expected a JSON object as header, but got something else');
  let text = '';
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    parsed = JSON.parse(text);
  } catch (cause) {
    fail('Expected a JSON header, but got malformed text', { cause });
  }
  if (!isRecord(parsed)) return fail('Expected a JSON object as header, but got something else');
  if (countKeysWritten(text) !== countKeys(parsed)) {
    fail('Expected each key once, but got a key twice');
  }

  const entries = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      if (!isRecord(value) || Object.values(value).some((text) => typeof text !== 'string')) {
        fail('Expected texts in __metadata__, but got something else');
      }
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
    entries.set(name, { dtype, shape, file, offset: dataStart + begin, length });
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

/** Keys as written: `JSON.parse` keeps the last of two equal ones without a word. */
function countKeysWritten(json: string): number {
  let count = 0;
  for (const match of json.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)) if (match[1]) count++;
  return count;
}

function countKeys(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + countKeys(item), 0);
  if (!isRecord(value)) return 0;
  return Object.values(value).reduce((sum: number, item) => sum + 1 + countKeys(item), 0);
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
