import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import { FileDamaged, type FileStamp } from '../onnx/file.ts';
import { folderLimits } from '../onnx/limits.ts';
import {
  readSafetensorsHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from '../onnx/safetensors.ts';
import { type Weights, weightsOf, weightsOfFile } from '../onnx/weights.ts';
import { readJson } from './json-file.ts';

/** What the weight files of a network are called. */
export type Stem = 'diffusion_pytorch_model' | 'model';

/** A network's folder without weights that can be used. */
function weightsNotFound(folder: string, stem: Stem, found: string): DomainError {
  return new DomainError(
    'MODEL_UNAVAILABLE',
    `Expected ${stem}.safetensors or ${stem}.safetensors.index.json in ${folder}, but got ${found}`,
  );
}

/** Where there are weights in several precisions and none without a name, the first of these counts. */
const preferred = ['fp32', 'bf16', 'fp16'];

/**
 * Open the weights of one network: `<stem>.safetensors`, or the shards that
 * `<stem>.safetensors.index.json` names; else those of a variant (`<stem>.fp16.safetensors`,
 * `<stem>.safetensors.index.fp16.json`). Symbolic links are followed, as a Hugging Face cache has them.
 *
 * @throws FileDamaged, FileUnreadable, DomainError (MODEL_UNAVAILABLE)
 */
export async function openWeights(folder: string, stem: Stem): Promise<Weights> {
  const names = new Set(await readdir(folder).catch(() => []));
  for (const variant of ['', ...variantsOf(names, stem)]) {
    const single = variant === '' ? `${stem}.safetensors` : `${stem}.${variant}.safetensors`;
    if (names.has(single)) return weightsOfFile(await readSafetensorsHeader(join(folder, single)));
    const index = `${stem}.safetensors.index${variant === '' ? '' : `.${variant}`}.json`;
    if (names.has(index)) return readShards(folder, index);
  }
  throw weightsNotFound(folder, stem, describe([...names]));
}

function variantsOf(names: Iterable<string>, stem: Stem): string[] {
  const patterns = [
    new RegExp(`^${stem}\\.([\\w-]+)\\.safetensors$`),
    new RegExp(`^${stem}\\.safetensors\\.index\\.([\\w-]+)\\.json$`),
  ];
  const found = [...names]
    .flatMap((name) => patterns.flatMap((pattern) => pattern.exec(name)?.[1] ?? []))
    .filter((variant) => !/\d-of-\d/.test(variant)); // a shard, which an index has to name
  const rank = (variant: string) => preferred.indexOf(variant) + 1 || preferred.length + 1;
  return [...new Set(found)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function describe(names: readonly string[]): string {
  const pickled = names.find((name) => /\.(?:bin|pth|pt|ckpt)$/.test(name));
  if (pickled !== undefined) {
    return `only ${pickled}, a pickle, which is never opened: save it as .safetensors`;
  }
  const partial = names.find((name) => /\.(?:incomplete|part|partial|tmp|crdownload)$/.test(name));
  if (partial !== undefined) return `only ${partial}, a download that did not end`;
  const shard = names.find((name) => name.endsWith('.safetensors'));
  return shard === undefined ? 'neither' : `only ${shard}, and no index that names it`;
}

const indexSchema = z.object({
  weight_map: z.record(
    z.string(),
    z
      .string('expected a file name inside the folder')
      .regex(
        /^[\w.-]+\.safetensors$/,
        'expected a file name inside the folder, ending in .safetensors',
      ),
  ),
});

async function readShards(folder: string, name: string): Promise<Weights> {
  const index = join(folder, name);
  const { value } = await readJson(index, indexSchema, { maxBytes: folderLimits.indexBytes });
  const shards = new Map<string, SafetensorsHeader>();
  const entries = new Map<string, TensorEntry>();
  for (const [tensor, shard] of Object.entries(value.weight_map)) {
    const header = shards.get(shard) ?? (await readSafetensorsHeader(join(folder, shard)));
    shards.set(shard, header);
    const entry = header.entries.get(tensor);
    if (entry === undefined) {
      throw new FileDamaged(index, `Expected ${tensor} in ${shard}, but it is not there,`);
    }
    entries.set(tensor, entry);
  }
  if (shards.size === 0) throw new FileDamaged(index, 'Expected the names of shards, but got none');
  const files: FileStamp[] = [...shards]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { stamp }]) => stamp);
  return weightsOf(entries, files);
}
