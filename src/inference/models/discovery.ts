import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { StartError } from '../../errors.ts';
import { systemFault, systemReason } from '../../system-error.ts';
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

/** @throws StartError where there is no such folder */
export async function checkModelFolders(modelFolders: readonly string[]): Promise<void> {
  for (const folder of modelFolders) {
    const found = await stat(folder).catch(() => null);
    if (found?.isDirectory() !== true) {
      throw new StartError(`Expected a folder of models at ${folder}, but got none`);
    }
  }
}

/**
 * The models in these folders: `<name>/`, `<owner>/<name>/`, or the snapshots of a Hugging Face cache
 * (`models--<owner>--<name>/snapshots/<commit>/`). Where two have the same name, the first counts.
 * @param onSkip sees every other folder, but for hidden ones and those that share their parts
 */
export async function findModels(
  modelFolders: readonly string[],
  onSkip: (skipped: SkippedFolder) => void,
): Promise<FoundModel[]> {
  const candidates: Candidate[] = [];
  for (const folder of modelFolders) {
    candidates.push(...(await candidatesIn(resolve(folder), onSkip)));
  }
  const found = new Map<string, FoundModel>();
  const others: string[] = [];
  for (const { name, folder } of candidates) {
    const first = found.get(name);
    if (!(await isModel({ name, folder }))) {
      if (lastPart(name) !== officialParts) others.push(folder);
    } else if (first === undefined) {
      found.set(name, { name, folder, shared: await sharedPartsOf(folder, candidates) });
    } else {
      onSkip({ folder, reason: `the model "${name}" was found in ${first.folder} before` });
    }
  }
  const shared = new Set([...found.values()].map((model) => model.shared));
  for (const folder of others) if (!shared.has(folder)) onSkip({ folder, reason: nothingThere });
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
  for (const name of await foldersIn(modelFolder, onSkip)) {
    const folder = join(modelFolder, name);
    if (await isHoldingParts(folder)) all.push({ name, folder });
    else if (name.startsWith('models--')) all.push(...(await inCache(folder, onSkip)));
    else all.push(...(await inOwner(folder, onSkip)));
  }
  return all;
}

/** Of a repository in a Hugging Face cache: `models--<owner>--<name>`. */
async function inCache(
  folder: string,
  onSkip: (skipped: SkippedFolder) => void,
): Promise<Candidate[]> {
  const [, owner, ...rest] = basename(folder).split('--');
  const snapshot = rest.length > 0 ? await currentSnapshot(folder) : null;
  if (snapshot !== null) return [{ name: `${owner}/${rest.join('--')}`, folder: snapshot }];
  onSkip({ folder, reason: 'it is of a Hugging Face cache, but has no snapshot' });
  return [];
}

async function inOwner(
  folder: string,
  onSkip: (skipped: SkippedFolder) => void,
): Promise<Candidate[]> {
  const nested: Candidate[] = [];
  const skipped: SkippedFolder[] = [];
  for (const child of await foldersIn(folder, (one) => skipped.push(one))) {
    const inside = join(folder, child);
    if (await isHoldingParts(inside)) {
      nested.push({ name: `${basename(folder)}/${child}`, folder: inside });
    } else {
      skipped.push({ folder: inside, reason: await whyNoModel(inside) });
    }
  }
  const isOwner = nested.length > 0 || skipped.some(({ reason }) => reason !== nothingThere);
  const reported = isOwner
    ? skipped
    : [{ folder, reason: `${nothingThere}, nor has a folder in it` }];
  for (const one of reported) onSkip(one);
  return nested;
}

const nothingThere = 'it has no transformer/, model_index.json or easel.json';

async function whyNoModel(folder: string): Promise<string> {
  for (const name of await foldersIn(folder)) {
    if (await isHoldingParts(join(folder, name))) {
      return `models are looked for in <name>/ and <owner>/<name>/, and ${name}/ lies deeper`;
    }
  }
  return nothingThere;
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

/**
 * Names of the folders in a folder, hidden ones left out, in order.
 * @param onSkip sees what may be meant as a folder, but cannot be used as one
 */
async function foldersIn(
  folder: string,
  onSkip: (skipped: SkippedFolder) => void = () => undefined,
): Promise<string[]> {
  const options = { encoding: 'buffer', withFileTypes: true } as const;
  const entries = await readdir(folder, options).catch((error: unknown) => {
    onSkip({ folder, reason: systemReason(error) });
    return [];
  });
  const shown = entries
    .filter((entry) => !entry.isFile() && entry.name[0] !== '.'.charCodeAt(0))
    .map((entry) => entry.name)
    .sort(Buffer.compare);
  const kinds = await Promise.all(shown.map((name) => kindOf(folder, name)));
  return kinds.flatMap(({ name, isFolder, problem }) => {
    if (problem !== null) onSkip({ folder: join(folder, name), reason: problem });
    return isFolder && problem === null ? [name] : [];
  });
}

async function kindOf(folder: string, bytes: Buffer) {
  const name = bytes.toString();
  const path = Buffer.concat([Buffer.from(folder + sep), bytes]);
  try {
    if (!(await stat(path)).isDirectory()) return { name, isFolder: false, problem: null };
    const isUtf8 = Buffer.from(name).equals(bytes);
    const isLoop = isUtf8 && isInside(await realpath(folder), await realpath(path));
    const loop = isLoop ? 'it is a symbolic link to a folder that it lies in' : null;
    return { name, isFolder: true, problem: isUtf8 ? loop : 'its name is not UTF-8' };
  } catch (error) {
    const isThere = await lstat(path).then(
      () => true,
      () => false, // Deleted since.
    );
    const isMissing = systemFault(error) === 'missing';
    const problem = isMissing ? 'it is a symbolic link to nothing' : systemReason(error);
    return { name, isFolder: false, problem: isThere ? problem : null };
  }
}

function isInside(folder: string, other: string): boolean {
  return `${folder}${sep}`.startsWith(other.endsWith(sep) ? other : other + sep);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
