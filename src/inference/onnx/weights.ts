import { access, open, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { DomainError } from '../../errors.ts';
import { decodeFloats, dtypes, isFloatDtype } from './dtype.ts';
import {
  countElements,
  DamagedWeights,
  readSafetensorsHeader,
  type TensorEntry,
} from './safetensors.ts';

/** The tensors of one network, wherever they lie; only what is asked for is read. */
export type Weights = {
  has(name: string): boolean;
  /** `expected`: the shape that the network needs, for weights that are made to measure. @throws MissingTensor */
  entry(name: string, expected?: readonly number[]): TensorEntry;
  names(): string[];
  /** Row-major, converted from F32, F16, BF16 or F64. */
  read(name: string): Promise<Float32Array>;
  /** Rows of the first axis, one after the other, in the order asked for. */
  readRows(name: string, rows: ArrayLike<number>): Promise<Float32Array>;
  /** Real paths. */
  readonly files: readonly string[];
  /** The folder that all files lie in, somewhere below; what ONNX Runtime may read from. */
  readonly root: string;
  readonly parameters: number;
  /** The dtype that most of the numbers have. */
  readonly dtype: string;
};

/** A network folder without weights that can be used. */
export class WeightsNotFound extends DomainError {
  constructor(folder: string, stem: string, variant: string | null) {
    const hint = variant === null ? '' : ` (there is only ${variant}; rename it to use it)`;
    super(
      'MODEL_UNAVAILABLE',
      `Expected ${stem}.safetensors or ${stem}.safetensors.index.json in ${folder}, but got neither${hint}`,
    );
  }
}

/** The weights do not hold a tensor that the network needs. */
export class MissingTensor extends DomainError {
  constructor(name: string, root: string) {
    super('MODEL_UNAVAILABLE', `Expected the tensor ${name} in ${root}, but it is not there`);
  }
}

/** A tensor is there, but not as the configuration says. */
export class TensorMismatch extends DomainError {
  constructor(name: string, expected: string, got: string) {
    super('MODEL_UNAVAILABLE', `Expected ${name} as ${expected}, but got ${got}`, { got });
  }
}

/**
 * Open the weights of one network: `<stem>.safetensors`, or the shards that
 * `<stem>.safetensors.index.json` names. Variants (`<stem>.fp16.safetensors`) are not picked.
 * Paths are resolved, so that a Hugging Face cache (symlinks into `blobs/`) works.
 *
 * @throws DamagedWeights, WeightsNotFound, MissingTensor
 */
export async function openWeights(
  folder: string,
  stem: 'diffusion_pytorch_model' | 'model',
): Promise<Weights> {
  const single = join(folder, `${stem}.safetensors`);
  if (await exists(single)) return weightsOf(await readSafetensorsHeader(await realpath(single)));

  const index = join(folder, `${stem}.safetensors.index.json`);
  if (await exists(index)) return weightsOf(await readShards(folder, index));

  const variant = join(folder, `${stem}.fp16.safetensors`);
  throw new WeightsNotFound(folder, stem, (await exists(variant)) ? basename(variant) : null);
}

async function readShards(folder: string, index: string): Promise<Map<string, TensorEntry>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(index, 'utf8'));
  } catch (cause) {
    throw new DamagedWeights(index, 'Expected a JSON index, but got malformed text', { cause });
  }
  const map = (parsed as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new DamagedWeights(index, 'Expected a weight_map, but got none');
  }
  const shards = new Map<string, Map<string, TensorEntry>>();
  const entries = new Map<string, TensorEntry>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !/^[\w.-]+\.safetensors$/.test(shard)) {
      throw new DamagedWeights(
        index,
        `Expected a file name inside the folder for ${name}, but got ${JSON.stringify(shard)}`,
      );
    }
    if (!shards.has(shard)) {
      const file = join(folder, shard);
      if (!(await exists(file))) {
        throw new DamagedWeights(index, `Expected the shard ${shard}, but it is not there,`);
      }
      shards.set(shard, await readSafetensorsHeader(await realpath(file)));
    }
    const entry = shards.get(shard)?.get(name);
    if (entry === undefined) {
      throw new DamagedWeights(index, `Expected ${name} in ${shard}, but it is not there,`);
    }
    entries.set(name, entry);
  }
  return entries;
}

/** Weights out of entries, for example under other names, or ranges of other tensors. */
export function weightsOf(entries: ReadonlyMap<string, TensorEntry>): Weights {
  const files = [...new Set([...entries.values()].map(({ file }) => file))];
  const root = commonFolder(files);
  const entry = (name: string): TensorEntry => {
    const found = entries.get(name);
    if (found === undefined) throw new MissingTensor(name, root);
    return found;
  };
  let parameters = 0;
  const byDtype = new Map<string, number>();
  for (const { dtype, shape } of entries.values()) {
    const count = countElements(shape);
    parameters += count;
    byDtype.set(dtype, (byDtype.get(dtype) ?? 0) + count);
  }
  const dtype = [...byDtype].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'F32';
  return {
    has: (name) => entries.has(name),
    entry,
    names: () => [...entries.keys()],
    read: (name) => readFloats(name, entry(name), [{ start: 0, length: entry(name).length }]),
    readRows(name, rows) {
      const { shape, length } = entry(name);
      const count = shape[0] ?? 0;
      const rowBytes = count === 0 ? 0 : length / count;
      const ranges = Array.from(rows, (row) => {
        if (!Number.isInteger(row) || row < 0 || row >= count) {
          throw new TensorMismatch(name, `a table with row ${row}`, `${count} rows`);
        }
        return { start: row * rowBytes, length: rowBytes };
      });
      return readFloats(name, entry(name), ranges);
    },
    files,
    root,
    parameters,
    dtype,
  };
}

async function readFloats(
  name: string,
  { dtype, file, offset }: TensorEntry,
  ranges: readonly { start: number; length: number }[],
): Promise<Float32Array> {
  if (!isFloatDtype(dtype)) throw new TensorMismatch(name, 'floating-point numbers', dtype);
  const floats = new Float32Array(
    (ranges.reduce((sum, { length }) => sum + length, 0) * 8) / dtypes[dtype].bits,
  );
  const handle = await open(file, 'r');
  try {
    let position = 0;
    for (const { start, length } of ranges) {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(
          bytes,
          filled,
          // One system call reads less than 2 GiB.
          Math.min(length - filled, 2 ** 30),
          offset + start + filled,
        );
        if (bytesRead === 0) throw new DamagedWeights(file, `Expected more data for ${name}`);
        filled += bytesRead;
      }
      const decoded = decodeFloats(bytes, dtype);
      floats.set(decoded, position);
      position += decoded.length;
    }
  } finally {
    await handle.close();
  }
  return floats;
}

function commonFolder(files: readonly string[]): string {
  const folders = files.map((file) => dirname(file).split(sep));
  const first = folders[0] ?? [''];
  let depth = first.length;
  for (const folder of folders) {
    let same = 0;
    while (same < depth && folder[same] === first[same]) same++;
    depth = same;
  }
  return first.slice(0, depth).join(sep) || sep;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
