import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openWeightData, type WeightData } from '../../src/inference/onnx/weight-data.ts';
import type { Weights } from '../../src/inference/onnx/weights.ts';
import { temporaryFolder } from './golden.ts';

const folder = temporaryFolder();
afterAll(folder.remove); // Of the test file that uses it.
let count = 0;

export function emptyFolder(): string {
  const path = join(folder.path, `${count++}`);
  mkdirSync(path);
  return path;
}

/** A folder with one file of these bytes. */
export function withFile(bytes: Uint8Array, name = 'model.safetensors'): string {
  const path = emptyFolder();
  writeFileSync(join(path, name), bytes);
  return path;
}

/** A file of a header written by hand, and so many bytes of data. */
export function file(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]);
}

export const f32 = (shape: number[], begin: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

/** Six numbers. */
export const table = new Float32Array([1, 2, 3, 4, 5, 6]);

/** The data of weights, closed afterwards. */
export async function withData<T>(
  weights: Weights,
  use: (data: WeightData) => Promise<T>,
): Promise<T> {
  const data = await openWeightData(weights);
  try {
    return await use(data);
  } finally {
    await data.close();
  }
}

export const read = (weights: Weights, name: string) =>
  withData(weights, (data) => data.read(name));
