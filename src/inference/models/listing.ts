import { realpath } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { DomainError } from '../../errors.ts';
import { identityOf } from '../checkpoints/checkpoint.ts';
import { fingerprintOf } from '../checkpoints/model-folder.ts';
import { folderLimits } from '../onnx/limits.ts';
import type { ModelDescription } from '../request.ts';
import {
  checkModelFolders,
  type FoundModel,
  findModels,
  isModel,
  type SkippedFolder,
} from './discovery.ts';
import { type Model, openModel } from './model.ts';

/** A folder in the list of models; `model` is null where it cannot be used. */
export type ModelListing = {
  readonly description: ModelDescription;
  readonly found: FoundModel;
  readonly model: Model | null;
};

export type ModelCatalog = {
  /** As of the last scan, by name. */
  readonly listings: readonly ModelListing[];
  /** Look at the folders, and read those again whose files have changed. */
  scan(): Promise<void>;
  /** The listing of a model as its files are now; undefined where there is none. */
  find(name: string): Promise<ModelListing | undefined>;
};

/** A model folder as it is when it is read; the fingerprint is another once its files are. */
export type Opening = { readonly folder: string; readonly fingerprint: string };

/** Not to be read again, for this reason, as long as it is the same. */
export type RefusedFolder = Opening & { readonly reason: string };

type Known = { readonly fingerprint: string; readonly listing: ModelListing };

/**
 * The models in these folders, see `findModels`.
 * @param options.onSkip sees each folder that is no model, once for each reason
 * @param options.onOpening sees each folder before it is read, one after the other, and null after it was
 * @throws StartError where there is no such folder
 */
export async function openCatalog(
  modelFolders: readonly string[],
  {
    onSkip = () => undefined,
    onOpening = () => undefined,
    refused = [],
  }: {
    onSkip?: (skipped: SkippedFolder) => void;
    onOpening?: (opening: Opening | null) => void;
    refused?: readonly RefusedFolder[];
  } = {},
): Promise<ModelCatalog> {
  await checkModelFolders(modelFolders);
  let known = new Map<string, Known>();
  let scanning: Promise<void> | undefined;
  let opened: Promise<unknown> = Promise.resolve();
  const reported = new Set<string>();

  function skip(skipped: SkippedFolder): void {
    const key = `${skipped.folder}\0${skipped.reason}`;
    if (reported.has(key)) return;
    reported.add(key);
    onSkip(skipped);
  }

  async function refresh(found: FoundModel): Promise<Known> {
    const before = known.get(found.name);
    const { folder, shared } = found;
    const fingerprint = identityOf([folder, await fingerprintOf(folder, shared)]);
    if (before?.fingerprint === fingerprint) return before;
    const refusal = refused.find((one) => one.folder === folder && one.fingerprint === fingerprint);
    if (refusal === undefined) return { fingerprint, listing: await open(found, fingerprint) };
    const reason = `Expected a usable model, but ${refusal.reason}`;
    return {
      fingerprint,
      listing: { description: unavailable(found.name, reason), found, model: null },
    };
  }

  /** One at a time: memory, and which folder it was where the thread ends. */
  function open(found: FoundModel, fingerprint: string): Promise<ModelListing> {
    const listing = opened.then(async () => {
      onOpening({ folder: found.folder, fingerprint });
      const listing = await listModel(found);
      onOpening(null);
      return listing;
    });
    opened = listing;
    return listing;
  }

  async function scanOnce(): Promise<void> {
    const found = await findModels(modelFolders, skip);
    const refreshed = await Promise.all(found.map(refresh));
    known = new Map(refreshed.map((one) => [one.listing.found.name, one]));
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
      const found = known.get(name)?.listing.found;
      if (found !== undefined && (await isModel(found))) known.set(name, await refresh(found));
      else await catalog.scan();
      return known.get(name)?.listing;
    },
  };
  await catalog.scan();
  return catalog;
}

/** What a folder holds, or why it cannot be used; whatever is in it, it is listed. */
export async function listModel(found: FoundModel): Promise<ModelListing> {
  try {
    const model = await openModel(found);
    return { description: model.description, found, model };
  } catch (error) {
    // A defect of this program must not keep other models from being listed.
    const problem =
      error instanceof DomainError ? error.message : `Expected a usable model, but got ${error}`;
    const reason = await withoutFolder(problem, found);
    return { description: unavailable(found.name, reason), found, model: null };
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

/**
 * A message for clients: paths relative to the model, because the server's folders are not for clients,
 * and no longer than a sentence, whatever the file that it quotes holds.
 */
export async function withoutFolder(
  message: string,
  { folder, shared }: Pick<FoundModel, 'folder' | 'shared'>,
): Promise<string> {
  const folders = [folder, ...(shared === null ? [] : [shared])];
  const real = await Promise.all(folders.map((one) => realpath(one).catch(() => one)));
  const prefixes = [...folders, ...real].flatMap((one) => [one, dirname(one)]);
  const relative = prefixes
    .sort((a, b) => b.length - a.length)
    .reduce((text, prefix) => (prefix === sep ? text : text.replaceAll(prefix + sep, '')), message);
  return shortened(relative, folderLimits.reasonBytes);
}

/** The beginning and the end of a text that is longer. */
function shortened(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const half = Math.floor((maxBytes - Buffer.byteLength('…')) / 2);
  const [start, end] = [bytes.subarray(0, half), bytes.subarray(bytes.length - half)];
  const halfCharacter = /^\ufffd+|\ufffd+$/g;
  return [start, end].map((part) => part.toString().replace(halfCharacter, '')).join('…');
}
