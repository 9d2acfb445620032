import { dirname, sep } from 'node:path';
import { DomainError } from '../../errors.ts';
import type { FileStamp } from './file.ts';
import { countElements, type SafetensorsHeader, type TensorEntry } from './safetensors.ts';

/** The tensors of one network, read from the headers of their files; no data is read. */
export type Weights = {
  has(name: string): boolean;
  /** `expected`: the shape that the network needs, for weights that are made to measure. @throws DomainError (MODEL_UNAVAILABLE) */
  entry(name: string, expected?: readonly number[]): TensorEntry;
  names(): string[];
  /** The files that the tensors lie in. */
  readonly files: readonly FileStamp[];
  /** The folder that all files lie in, somewhere below; what ONNX Runtime may read from. */
  readonly root: string;
  readonly parameters: number;
  /** The dtype that most of the numbers have. */
  readonly dtype: string;
};

/** The weights do not hold a tensor that the network needs. */
function missingTensor(name: string, root: string): DomainError {
  return new DomainError(
    'MODEL_UNAVAILABLE',
    `Expected the tensor ${name} in ${root}, but it is not there`,
  );
}

/** A tensor has another shape or dtype than the configuration implies. */
export class TensorMismatch extends DomainError {
  constructor(name: string, expected: string, got: string) {
    super('MODEL_UNAVAILABLE', `Expected ${name} as ${expected}, but got ${got}`, { got });
  }
}

/** All tensors of one `.safetensors` file. */
export function weightsOfFile({ entries, stamp }: SafetensorsHeader): Weights {
  return weightsOf(entries, [stamp]);
}

/** Weights out of entries, for example under other names, or ranges of other tensors. */
export function weightsOf(
  entries: ReadonlyMap<string, TensorEntry>,
  files: readonly FileStamp[],
): Weights {
  const root = commonFolder(files.map(({ path }) => path));
  let parameters = 0;
  const byDtype = new Map<string, number>();
  for (const { dtype, shape } of entries.values()) {
    const count = countElements(shape);
    parameters += count;
    byDtype.set(dtype, (byDtype.get(dtype) ?? 0) + count);
  }
  return {
    has: (name) => entries.has(name),
    entry(name) {
      const found = entries.get(name);
      if (found === undefined) throw missingTensor(name, root);
      return found;
    },
    names: () => [...entries.keys()],
    files,
    root,
    parameters,
    dtype: [...byDtype].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'F32',
  };
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
