import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { DomainError, StartError } from '../../errors.ts';
import type { ModelDescription } from '../request.ts';
import { type ModelFolder, officialParts, readModelFolder } from './model-folder.ts';

/** A folder as it stands in the list of models; without what can be loaded where it is damaged. */
export type ModelListing = {
  readonly description: ModelDescription;
  readonly folder: ModelFolder | null;
};

/** @see readModelFolder */
export async function describeModel(folder: string): Promise<ModelDescription> {
  return (await listModel(folder)).description;
}

export async function listModel(folder: string): Promise<ModelListing> {
  try {
    const read = await readModelFolder(folder);
    return { description: read.description, folder: read };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { description: await damaged(folder, error), folder: null };
  }
}

async function damaged(folder: string, { message }: DomainError): Promise<ModelDescription> {
  return {
    name: basename(folder),
    title: basename(folder),
    description: null,
    license: null,
    available: false,
    unavailableReason: await withoutPlace(message, folder),
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
 * The models in these folders, by name; where two have the same name, the first counts.
 * @throws StartError where there is no such folder
 */
export async function listModels(modelFolders: readonly string[]): Promise<ModelListing[]> {
  const found = new Map<string, ModelListing>();
  for (const modelFolder of modelFolders) {
    const names = await readdir(modelFolder).catch((cause: unknown) => {
      throw new StartError(`Expected a folder of models at ${modelFolder}, but got none`, {
        cause,
      });
    });
    for (const name of names.sort()) {
      const folder = resolve(join(modelFolder, name));
      if (!found.has(name) && (await isModelFolder(folder)))
        found.set(name, await listModel(folder));
    }
  }
  return [...found.values()];
}

/** Whether a folder is meant as a model: parts alone are not. */
export async function isModelFolder(folder: string): Promise<boolean> {
  const names = new Set(await readdir(folder).catch(() => []));
  return (
    names.has('transformer') ||
    names.has('easel.json') ||
    (names.has('model_index.json') && basename(folder) !== officialParts)
  );
}

/** Clients see the sentence: where models lie on the machine is not theirs to know. */
export async function withoutPlace(message: string, folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => folder);
  return [folder, real, dirname(folder), dirname(real)].reduce(
    (text, place) => (place === sep ? text : text.replaceAll(place + sep, '')),
    message,
  );
}
