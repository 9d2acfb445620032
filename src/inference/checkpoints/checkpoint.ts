import { createHash } from 'node:crypto';
import type { FileStamp } from '../onnx/file.ts';
import type { Weights } from '../onnx/weights.ts';

/** One network of a model folder: its configuration and the headers of its weights, read and checked once. */
export type Checkpoint<Config> = {
  readonly config: Config;
  readonly weights: Weights;
  /** Of the files that it was read from. Models whose files are the same share the loaded network. */
  readonly identity: string;
};

/** Equal for equal files, whatever their names. `versions` as in `FileStamp`. */
export function identityOf(versions: readonly string[]): string {
  return createHash('sha256').update(versions.join('\n')).digest('hex').slice(0, 16);
}

export function versionsOf(stamps: readonly FileStamp[]): string[] {
  return stamps.map(({ version }) => version);
}
