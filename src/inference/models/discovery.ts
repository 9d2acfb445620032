import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readText } from '../checkpoints/json-file.ts';
import { isModelFolder, officialParts, partNames } from '../checkpoints/model-folder.ts';
import { readEaselFile } from './easel-file.ts';

/** A folder that is listed as a model, usable or not. */
export type FoundModel = {
  /** `<name>` or `<owner>/<name>`. */
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  /** Absolute folder of the parts that it lacks; null where there is none. */
  readonly shared: string | null;
};

/** A folder that is not listed, and why. */
export type SkippedFolder = { readonly folder: string; readonly reason: string };

/** A folder in one of the folders of models, whatever is in it. */
type Candidate = { readonly name: string; readonly folder: string };

/**
 * The models in these folders: `<name>/`, `<owner>/<name>/`, or the snapshots of a Hugging Face cache
 * (`models--<owner>--<name>/snapshots/<commit>/`). Where two have the same name, the first counts.
 */
export async function findModels(
  modelFolders: readonly string[],
  onSkip: (skipped: SkippedFolder) => void,
): Promise<FoundModel[]> {
  const candidates: Candidate[] = [];
  for (const folder of modelFolders)
    candidates.push(...(await candidatesIn(resolve(folder), onSkip)));
  const found = new Map<string, FoundModel>();
  for (const { name, folder } of candidates) {
    if (!(await isModel({ name, folder }))) continue;
    const first = found.get(name);
    if (first === undefined) {
      found.set(name, { name, folder, shared: await sharedPartsOf(folder, candidates) });
    } else {
      onSkip({ folder, reason: `the model "${name}" was found in ${first.folder} before` });
    }
  }
  return [...found.values()];
}

/** Whether it is there, and to be listed as a model. */
export async function isModel({ name, folder }: Candidate): Promise<boolean> {
  return lastPart(name) !== officialParts && (await isModelFolder(folder));
}

/** The folder that `easel.json` names, or that of the official releases: beside the model, or anywhere else. */
async function sharedPartsOf(
  folder: string,
  candidates: readonly Candidate[],
): Promise<string | null> {
  const file = await readEaselFile(folder).catch(() => null); // Its problem is reported by `openModel`.
  const wanted = file?.easel.parts ?? officialParts;
  const folders = candidates
    .filter(({ name }) => lastPart(name) === wanted)
    .map((candidate) => candidate.folder);
  const beside = join(dirname(folder), wanted);
  return folders.includes(beside) ? beside : (folders[0] ?? null);
}

async function candidatesIn(
  modelFolder: string,
  onSkip: (skipped: SkippedFolder) => void,
): Promise<Candidate[]> {
  const all: Candidate[] = [];
  for (const name of await foldersIn(modelFolder)) {
    const folder = join(modelFolder, name);
    const own = (await isHoldingParts(folder)) ? [{ name, folder }] : await nestedIn(folder);
    all.push(...own);
    if (own.length === 0) {
      onSkip({
        folder,
        reason: 'it has no transformer/, model_index.json or easel.json, nor has a folder in it',
      });
    }
  }
  return all;
}

/** Inside of an owner's folder, or of a folder of a Hugging Face cache. */
async function nestedIn(folder: string): Promise<Candidate[]> {
  const [kind, owner, ...rest] = basename(folder).split('--');
  if (kind === 'models' && rest.length > 0) {
    const snapshot = await currentSnapshot(folder);
    return snapshot === null ? [] : [{ name: `${owner}/${rest.join('--')}`, folder: snapshot }];
  }
  const nested: Candidate[] = [];
  for (const child of await foldersIn(folder)) {
    const inside = join(folder, child);
    if (await isHoldingParts(inside)) {
      nested.push({ name: `${basename(folder)}/${child}`, folder: inside });
    }
  }
  return nested;
}

/** The snapshot that `refs/main` names, else the latest. */
async function currentSnapshot(folder: string): Promise<string | null> {
  const snapshots = join(folder, 'snapshots');
  const commits = await foldersIn(snapshots);
  const main = await readText(join(folder, 'refs', 'main')).catch(() => null);
  const commit = main?.text.trim() ?? '';
  if (commits.includes(commit)) return join(snapshots, commit);
  const times = await Promise.all(
    commits.map((name) =>
      stat(join(snapshots, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0, // Deleted since.
      ),
    ),
  );
  const latest = times.indexOf(Math.max(...times));
  return latest < 0 ? null : join(snapshots, commits[latest]!);
}

async function isHoldingParts(folder: string): Promise<boolean> {
  if (await isModelFolder(folder)) return true;
  const names = await foldersIn(folder);
  return partNames.some((part) => names.includes(part));
}

/** Names of the folders in a folder, hidden ones left out, in order. */
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

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
