import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import { FileUnreadable, stampOf } from '../onnx/file.ts';
import { folderLimits } from '../onnx/limits.ts';
import { identityOf } from './checkpoint.ts';
import { readJson } from './json-file.ts';

/** A model folder that cannot be used as it is. The message names files relative to it. */
export class ModelFolderDamaged extends DomainError {
  constructor(problem: string) {
    super('MODEL_UNAVAILABLE', problem);
  }
}

/** The subfolders of a model. */
export const partNames = ['transformer', 'text_encoder', 'vae', 'tokenizer', 'scheduler'] as const;
export type PartName = (typeof partNames)[number];

/** What diffusers and transformers call the classes that are built here; a scheduler's is checked where it is read. */
const classes = {
  transformer: ['PixArtTransformer2DModel', 'Transformer2DModel'],
  text_encoder: ['T5EncoderModel'],
  vae: ['AutoencoderKL'],
  tokenizer: ['T5Tokenizer', 'T5TokenizerFast'],
} as const satisfies Partial<Record<PartName, readonly string[]>>;
const pipelines = ['PixArtSigmaPipeline', 'PixArtAlphaPipeline'] as const;

/** The official releases for 256, 512 and 2K hold a transformer only, and share these. */
export const officialParts = 'pixart_sigma_sdxlvae_T5_diffusers';

export type ModelIndex = {
  readonly pipeline: (typeof pipelines)[number];
  /** The scheduler's class. */
  readonly scheduler: string;
  readonly identity: string;
};

const indexSchema = z.looseObject({ _class_name: z.unknown() });

/**
 * `model_index.json`: null where the folder has none, as one with a transformer alone.
 * @throws FileUnreadable, FileDamaged, ModelFolderDamaged
 */
export async function readModelIndex(folder: string): Promise<ModelIndex | null> {
  const file = await readJson(join(folder, 'model_index.json'), indexSchema).catch(
    (error: unknown) => {
      if (error instanceof FileUnreadable && error.isMissing) return null;
      throw error;
    },
  );
  if (file === null) return null;
  const { value: index, stamp } = file;
  const pipeline = pipelines.find((known) => known === index._class_name);
  if (pipeline === undefined) {
    throw new ModelFolderDamaged(
      `Expected ${pipelines.join(' or ')} in model_index.json, but got ${JSON.stringify(index._class_name)}`,
    );
  }
  for (const [name, value] of Object.entries(index)) {
    if (name.startsWith('_')) continue;
    if (!/^[A-Za-z]\w*$/.test(name)) {
      throw new ModelFolderDamaged(
        `Expected names inside the folder in model_index.json, but got ${JSON.stringify(name)}`,
      );
    }
    const className: unknown = Array.isArray(value) ? value[1] : null;
    if (className !== null) checkClass(name, className, 'model_index.json');
  }
  return { pipeline, scheduler: schedulerIn(index), identity: identityOf([stamp.version]) };
}

/** @throws ModelFolderDamaged: without one, or with one of another library, the pipeline cannot be built. */
function schedulerIn({ scheduler }: z.output<typeof indexSchema>): string {
  const [library, className] = Array.isArray(scheduler) ? scheduler : [];
  if (library === 'diffusers' && typeof className === 'string') return className;
  const got = scheduler === undefined ? 'none' : JSON.stringify(scheduler);
  throw new ModelFolderDamaged(
    `Expected scheduler in model_index.json as ["diffusers", the name of a class], but got ${got}`,
  );
}

/** @throws ModelFolderDamaged where a part is of a class that is not built here */
export function checkClass(part: string, got: unknown, where: string): void {
  const known: readonly string[] | undefined = classes[part as keyof typeof classes];
  if (known === undefined || known.some((name) => name === got)) return;
  throw new ModelFolderDamaged(
    `Expected ${known.join(' or ')} for ${part} in ${where}, but got ${JSON.stringify(got)}`,
  );
}

/**
 * Where the parts of a model lie: in its folder or, but for the transformer, in the folder that has
 * them for several models.
 * @param shared that folder, if there is one
 * @param sharedName what it should be called
 * @throws ModelFolderDamaged naming what is missing
 */
export async function findParts(
  folder: string,
  shared: string | null,
  sharedName = officialParts,
): Promise<Record<PartName, string>> {
  const found: Partial<Record<PartName, string>> = {};
  for (const part of partNames) {
    const places = [join(folder, part)];
    if (part !== 'transformer' && shared !== null) places.push(join(shared, part));
    for (const place of places) if (await isFolder(place)) found[part] ??= place;
  }
  const missing = partNames.filter((part) => found[part] === undefined);
  if (missing.length > 0) {
    throw new ModelFolderDamaged(
      `Expected ${missing.map((part) => `${part}/`).join(', ')} in the model folder or in ${sharedName}/, but got neither`,
    );
  }
  return found as Record<PartName, string>;
}

/** Whether a folder has what only a model has: parts alone may be there for others. */
export async function isModelFolder(folder: string): Promise<boolean> {
  const names = new Set(await readdir(folder).catch(() => []));
  return names.has('transformer') || names.has('easel.json') || names.has('model_index.json');
}

/**
 * What the files of a model folder are like, without reading one: equal as long as none is added,
 * removed, replaced or edited. Shared parts included; of a folder with very many files, the first ones.
 */
export async function fingerprintOf(folder: string, shared: string | null): Promise<string> {
  const holders = shared === null ? [folder] : [folder, shared];
  const folders = [folder, ...holders.flatMap((one) => partNames.map((part) => join(one, part)))];
  const listings = await Promise.all(folders.map(listVersions));
  return listings.flat().join('\n');
}

async function listVersions(folder: string): Promise<string[]> {
  const all = await readdir(folder).catch(() => []);
  const names = all.sort().slice(0, folderLimits.filesWatched);
  const versions = await Promise.all(names.map((name) => versionAt(join(folder, name))));
  return versions.map((version, index) => `${names[index]}\t${version}`);
}

async function versionAt(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found && stampOf(path, found).version;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
