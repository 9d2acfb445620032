import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { DomainError, StartError } from '../../errors.ts';
import { fingerprintOf, isModelFolder, partNames } from '../checkpoints/model-folder.ts';
import type { ModelDescription } from '../request.ts';
import { readEaselFile } from './easel-file.ts';
import { type Model, openModel } from './model.ts';

/** A folder in the list of models; `model` is null where it cannot be used. */
export type ModelListing = {
  readonly description: ModelDescription;
  readonly folder: string;
  readonly model: Model | null;
};

/** A folder that is not listed, and why. */
export type SkippedFolder = { readonly folder: string; readonly reason: string };

export type ModelCatalog = {
  /** As of the last scan, by name. */
  readonly listings: readonly ModelListing[];
  /** Look at the folders, and read those again whose files have changed. */
  scan(): Promise<void>;
  /** The listing of a model as its files are now; undefined where there is none. */
  find(name: string): Promise<ModelListing | undefined>;
};

type Known = { readonly fingerprint: string; readonly listing: ModelListing };

/**
 * The models in these folders: `<name>/` or `<owner>/<name>/`; where two have the same name, the
 * first counts.
 * @param options.onSkip sees each folder that is no model, once for each reason
 * @throws StartError where there is no such folder
 */
export async function openCatalog(
  modelFolders: readonly string[],
  { onSkip = () => undefined }: { onSkip?: (skipped: SkippedFolder) => void } = {},
): Promise<ModelCatalog> {
  for (const folder of modelFolders) {
    const found = await stat(folder).catch(() => null);
    if (found?.isDirectory() !== true) {
      throw new StartError(`Expected a folder of models at ${folder}, but got none`);
    }
  }
  let known = new Map<string, Known>();
  let scanning: Promise<void> | undefined;
  const told = new Set<string>();

  function skip(skipped: SkippedFolder): void {
    const key = `${skipped.folder}\0${skipped.reason}`;
    if (told.has(key)) return;
    told.add(key);
    onSkip(skipped);
  }

  async function refresh(name: string, folder: string): Promise<Known> {
    const before = known.get(name);
    const fingerprint = await currentFingerprint(folder);
    if (before?.listing.folder === folder && before.fingerprint === fingerprint) return before;
    return { fingerprint, listing: await listModel(folder, name) };
  }

  async function scanOnce(): Promise<void> {
    const folders = new Map<string, string>();
    for (const modelFolder of modelFolders) {
      for (const [name, folder] of await findModels(resolve(modelFolder), skip)) {
        const first = folders.get(name);
        if (first === undefined) folders.set(name, folder);
        else skip({ folder, reason: `a model of the name "${name}" was found in ${first} before` });
      }
    }
    const refreshed = await Promise.all(
      [...folders].map(async ([name, folder]) => [name, await refresh(name, folder)] as const),
    );
    known = new Map(refreshed);
  }

  const catalog: ModelCatalog = {
    get listings() {
      return [...known.values()].map(({ listing }) => listing);
    },
    scan() {
      scanning ??= scanOnce().finally(() => {
        scanning = undefined;
      });
      return scanning;
    },
    async find(name) {
      const before = known.get(name);
      if (before === undefined || !(await isModelFolder(before.listing.folder))) {
        await catalog.scan();
      } else {
        known.set(name, await refresh(name, before.listing.folder));
      }
      return known.get(name)?.listing;
    },
  };
  await catalog.scan();
  return catalog;
}

/** Model folders in a folder, by name, in the order of their names. */
async function findModels(
  modelFolder: string,
  skip: (skipped: SkippedFolder) => void,
): Promise<[name: string, folder: string][]> {
  const found: [string, string][] = [];
  for (const name of await foldersIn(modelFolder)) {
    const folder = join(modelFolder, name);
    if (await isModelFolder(folder)) {
      found.push([name, folder]);
      continue;
    }
    const inside = await foldersIn(folder);
    const nested: [string, string][] = [];
    for (const child of inside) {
      const place = join(folder, child);
      if (await isModelFolder(place)) nested.push([`${name}/${child}`, place]);
    }
    found.push(...nested);
    const isShared = partNames.some((part) => inside.includes(part));
    if (nested.length === 0 && !isShared) {
      skip({
        folder,
        reason: 'it has no transformer/, model_index.json or easel.json, nor has a folder in it',
      });
    }
  }
  return found;
}

/** Names of the folders in a folder, hidden ones left out. */
async function foldersIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const isFolder = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (found) => found.isDirectory(),
        () => false,
      ),
    ),
  );
  return names.filter((name, index) => isFolder[index] && !name.startsWith('.')).sort();
}

async function currentFingerprint(folder: string): Promise<string> {
  const easel = await readEaselFile(folder).catch(() => null);
  return fingerprintOf(folder, easel?.easel.parts);
}

/** What a folder holds, or why it cannot be used; whatever is in it, it is listed. */
export async function listModel(folder: string, name = basename(folder)): Promise<ModelListing> {
  try {
    const model = await openModel(folder, name);
    return { description: model.description, folder, model };
  } catch (error) {
    // A defect of this program must not keep other models from being listed.
    const problem =
      error instanceof DomainError ? error.message : `Expected a usable model, but got ${error}`;
    const reason = await withoutFolder(problem, folder);
    return { description: unavailable(name, reason), folder, model: null };
  }
}

function unavailable(name: string, unavailableReason: string): ModelDescription {
  return {
    name,
    title: name,
    description: null,
    license: null,
    available: false,
    unavailableReason,
    parameters: null,
    precision: null,
    maxPromptTokens: null,
    vocabulary: null,
    defaults: null,
    sizes: [],
    samplers: [],
  };
}

/** A message for clients: paths relative to the model, because where it lies is the server's own. */
export async function withoutFolder(message: string, folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => folder);
  return [folder, real, dirname(folder), dirname(real)].reduce(
    (text, prefix) => (prefix === sep ? text : text.replaceAll(prefix + sep, '')),
    message,
  );
}
