import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openWeights } from '../../src/inference/checkpoints/weight-files.ts';
import { decodeFloats, encodeFloats } from '../../src/inference/onnx/dtype.ts';
import { encodeSafetensors } from '../../src/inference/onnx/safetensors.ts';
import {
  emptyFolder,
  f32,
  file,
  read,
  table,
  withData,
  withFile,
} from '../support/weight-folders.ts';

describe('a safetensors file', () => {
  it('is read back as it was written, in each format', async () => {
    const path = withFile(
      encodeSafetensors({
        wide: { shape: [3, 2], data: table, dtype: 'F64' },
        table: { shape: [3, 2], data: table },
        half: { shape: [6], data: table, dtype: 'F16' },
        brain: { shape: [2, 3], data: table, dtype: 'BF16' },
        scalar: { shape: [], data: new Float32Array([7]) },
        nothing: { shape: [0, 4], data: new Float32Array(0) },
      }),
    );
    const weights = await openWeights(path, 'model');
    for (const name of ['wide', 'table', 'half', 'brain']) {
      expect(await read(weights, name)).toEqual(table);
    }
    expect(await read(weights, 'scalar')).toEqual(new Float32Array([7]));
    expect(await read(weights, 'nothing')).toEqual(new Float32Array(0));
    expect(await withData(weights, (data) => data.readRows('table', [2, 0, 2]))).toEqual(
      new Float32Array([5, 6, 1, 2, 5, 6]),
    );
    expect(weights.entry('half')).toMatchObject({ dtype: 'F16', shape: [6], length: 12 });
    expect(weights.parameters).toBe(25);
    expect(weights.has('absent')).toBe(false);
    expect(() => weights.entry('absent')).toThrow(/^Expected the tensor absent in /);
  });

  it.each([
    ['leading space', ` \n\t\r${JSON.stringify({ a: f32([1], 0, 4) })}`],
    ['metadata that is null', JSON.stringify({ __metadata__: null, a: f32([1], 0, 4) })],
  ])('may have %s, as the reference reads it', async (_, header) => {
    const weights = await openWeights(withFile(file(header, 4)), 'model');
    expect(await read(weights, 'a')).toEqual(new Float32Array([0]));
  });

  it('may have a header of odd length and no metadata', async () => {
    const json = `${JSON.stringify({ a: f32([1], 0, 4) })} `;
    const weights = await openWeights(withFile(file(json, 4)), 'model');
    expect(await read(weights, 'a')).toEqual(new Float32Array([0]));
  });

  it.each([
    ['shorter than a length', Buffer.alloc(5), /^Expected a header length of 8 bytes, but got 5/],
    ['empty', Buffer.alloc(0), /^Expected a readable file .*, but it is an empty file/],
    [
      'a Git LFS pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'),
      /but it is a Git LFS pointer/,
    ],
    [
      'a page',
      Buffer.from('\n<!DOCTYPE html><html><body>Access denied</body></html>'),
      /but it is an HTML page/,
    ],
    ['a byte order mark', file('\ufeff{}', 0), /^Expected a JSON header/],
    [
      'nesting without end',
      file('{"a":'.repeat(1_000_000), 0),
      /^Expected a JSON header, .* at most 128 levels of nesting, but got 1000000/,
    ],
    [
      'values without end',
      file(`[${'1,'.repeat(2_000_000)}1]`, 0),
      /^Expected a JSON header, .* at most 1500000 values, but got 2000001/,
    ],
    [
      'a header beyond the limit',
      Buffer.from('ffffffffffffff7f00', 'hex'),
      /^Expected a header of at most 16777216 bytes/,
    ],
    [
      'a header beyond its end',
      file({ a: f32([1], 0, 4) }, 0).subarray(0, 30),
      /bytes, but got a file of 30 bytes/,
    ],
    ['a header of something else', file('[1, 2]', 0), /^Expected a JSON object as header/],
    ['malformed JSON', file('{"a": ', 0), /^Expected a JSON header, but got malformed text/],
    ['text that is not UTF-8', file('{"\u0000', 0), /^Expected a JSON header/],
    [
      'a tensor written twice',
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      /^Expected each key once, but got a key twice/,
    ],
    [
      'a field written twice',
      file('{"a":{"dtype":"F16","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /^Expected each key once/,
    ],
    [
      'metadata that is no text',
      file({ __metadata__: { n: 1 } }, 0),
      /^Expected texts in __metadata__/,
    ],
    [
      'an unknown dtype',
      file({ a: { dtype: 'F31', shape: [1], data_offsets: [0, 4] } }, 4),
      /^Expected a known dtype for a, but got "F31"/,
    ],
    ['no dtype', file({ a: 3 }, 4), /^Expected a known dtype for a, but got undefined/],
    [
      'a negative side',
      file({ a: f32([-1], 0, 4) }, 4),
      /^Expected a shape of whole numbers for a, but got \[-1\]/,
    ],
    ['a broken side', file({ a: f32([1.5], 0, 6) }, 6), /^Expected a shape of whole numbers for a/],
    ['ends before begins', file({ a: f32([1], 4, 0) }, 4), /^Expected \[begin, end\] for a/],
    [
      'a length that is not of its shape',
      file({ a: f32([3], 0, 8) }, 8),
      /^Expected 12 bytes for a \(F32 \[3\]\), but got 8/,
    ],
    [
      'a shape beyond all numbers',
      file({ a: f32([2 ** 50, 2 ** 50], 0, 8) }, 8),
      /^Expected .* bytes for a/,
    ],
    [
      'data cut off',
      file({ a: f32([4], 0, 16) }, 15),
      /^Expected data of a up to byte \d+, but got a file of \d+ bytes \(cut off\?\)/,
    ],
    [
      'an overlap',
      file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12),
      /^Expected b at byte \d+, but got an overlap/,
    ],
    [
      'a hole',
      file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
      /^Expected b at byte \d+, but got a hole/,
    ],
    ['a hole in front', file({ a: f32([1], 4, 8) }, 8), /^Expected a at byte \d+, but got a hole/],
    ['bytes that no tensor has', file({ a: f32([1], 0, 4) }, 5), /^Expected a file of \d+ bytes/],
  ])('is refused with a sentence: %s', async (_, bytes, message) => {
    const path = withFile(bytes);
    await expect(openWeights(path, 'model')).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(message),
    });
    await expect(openWeights(path, 'model')).rejects.toThrow(path);
  });

  it('is refused, never misread, wherever it is cut off', async () => {
    const whole = encodeSafetensors({
      a: { shape: [3, 2], data: table },
      b: { shape: [6], data: table },
    });
    const path = emptyFolder();
    const target = join(path, 'model.safetensors');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        writeFileSync(target, whole);
        truncateSync(target, length);
        await expect(openWeights(path, 'model')).rejects.toMatchObject({
          code: 'MODEL_UNAVAILABLE',
        });
      }),
      { numRuns: 50 },
    );
  });

  it('gives no numbers of a dtype that is not floating-point', async () => {
    const path = withFile(file({ a: { dtype: 'I32', shape: [1], data_offsets: [0, 4] } }, 4));
    const weights = await openWeights(path, 'model');
    await expect(read(weights, 'a')).rejects.toThrow(
      /^Expected a as floating-point numbers, but got I32$/,
    );
  });
});

describe('narrow formats', () => {
  it.each([
    ['F16', 0x3c00, 1],
    ['F16', 0xc000, -2],
    ['F16', 0x7bff, 65504],
    ['F16', 0x0400, 2 ** -14],
    ['F16', 0x0001, 2 ** -24],
    ['F16', 0x7c00, Number.POSITIVE_INFINITY],
    ['BF16', 0x3f80, 1],
    ['BF16', 0xc040, -3],
    ['BF16', 0x7f7f, 3.3895313892515355e38],
  ] as const)('%s %i is %d, both ways', (dtype, bits, value) => {
    const bytes = new Uint8Array([bits & 0xff, bits >> 8]);
    expect(decodeFloats(bytes, dtype)[0]).toBe(value);
    expect(encodeFloats(new Float32Array([value]), dtype)).toEqual(bytes);
  });

  it.each([
    // Halfway between two halves: to the even one.
    ['F16', 2049, 2048],
    ['F16', 2051, 2052],
    ['F16', 65519, 65504],
    ['F16', 2 ** -25, 0],
    ['F16', 3 * 2 ** -25, 2 ** -23],
    ['BF16', 257, 256],
    ['BF16', 259, 260],
  ] as const)('%s rounds %d to %d', (dtype, value, rounded) => {
    expect(decodeFloats(encodeFloats(new Float32Array([value]), dtype), dtype)[0]).toBe(rounded);
  });

  it('hold every half there is', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      if ((bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0) continue; // NaN has many forms
      const bytes = new Uint8Array([bits & 0xff, bits >> 8]);
      if (encodeFloats(decodeFloats(bytes, 'F16'), 'F16')[1] !== bytes[1]) {
        expect.fail(`0x${bits.toString(16)}`);
      }
    }
  });
});
