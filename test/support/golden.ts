import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeFloats, encodeFloats, type FloatDtype } from '../../src/inference/onnx/dtype.ts';
import { type AttentionForm, defaultPlan } from '../../src/inference/onnx/graph.ts';
import { encodeSafetensors, type TensorToWrite } from '../../src/inference/onnx/safetensors.ts';

/** How networks run here: on one thread. */
export const cpu = { provider: 'cpu', threads: 1, plan: defaultPlan } as const;

export function cpuWith(attention: AttentionForm) {
  return { ...cpu, plan: { ...defaultPlan, attention } };
}

/**
 * The synthetic weights and inputs behind the golden vectors. The vectors were computed by running
 * the reference implementations (PixArt-sigma 1ce521af, diffusers 58eb52c0, transformers 5.18.0)
 * on them, on a CPU in single precision.
 */
export type FillRule = (name: string, shape: readonly number[]) => { scale: number; base: number };

/** value[j] = base + scale · sin(0.37·j + 1.3·length of the name) */
export function fill(
  shapes: Readonly<Record<string, readonly number[]>>,
  rule: FillRule,
  dtype: FloatDtype = 'F32',
): Record<string, TensorToWrite> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const { scale, base } = rule(name, shape);
      const length = shape.reduce((product, side) => product * side, 1);
      const data = Float32Array.from(
        { length },
        (_, j) => base + scale * Math.sin(0.37 * j + 1.3 * name.length),
      );
      return [name, { shape, data, dtype }];
    }),
  );
}

/** The same numbers as a file of `dtype` holds them, stored in single precision. */
export function roundTo(
  dtype: FloatDtype,
  tensors: Readonly<Record<string, TensorToWrite>>,
): Record<string, TensorToWrite> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: decodeFloats(encodeFloats(data, dtype), dtype) },
    ]),
  );
}

export const transformerRule: FillRule = (name, shape) => ({
  scale: name.includes('scale_shift') ? 0.3 : shape.length === 1 ? 0.1 : fanInScale(shape),
  base: name.endsWith('.norm.weight') ? 1 : 0,
});

export const vaeRule: FillRule = (name, shape) => ({
  scale: shape.length === 1 ? 0.1 : fanInScale(shape),
  base: shape.length === 1 && name.endsWith('weight') ? 1 : 0,
});

export const t5Rule: FillRule = (name, shape) => ({
  scale:
    name === 'shared.weight' || name.includes('relative_attention_bias')
      ? 1
      : shape.length === 1
        ? 0.1
        : 1 / Math.sqrt(shape.at(-1)!),
  base: shape.length === 1 ? 1 : 0,
});

function fanInScale(shape: readonly number[]): number {
  return 1 / Math.sqrt(shape.slice(1).reduce((product, side) => product * side, 1));
}

/** g[j] = sin(0.7·j + 0.2), times a factor. */
export function wave(count: number, factor = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, j) => factor * Math.sin(0.7 * j + 0.2));
}

/** A folder with `config.json` and one file of weights. */
export function writeNetwork(
  folder: string,
  config: object,
  tensors: Readonly<Record<string, TensorToWrite>>,
  stem: 'diffusion_pytorch_model' | 'model' = 'diffusion_pytorch_model',
): string {
  writeConfig(folder, config);
  writeFileSync(join(folder, `${stem}.safetensors`), encodeSafetensors(tensors));
  return folder;
}

export function writeConfig(folder: string, config: object): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'easel-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

export function absoluteSum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += Math.abs(value);
  return total;
}

/** ‖a − b‖ / ‖b‖ */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}
