/** The catalog's thread: reads what lies in the model folders, so that no file can hold up the API, or end its process. */
import { parentPort, workerData } from 'node:worker_threads';
import { createChecksums } from '../checkpoints/checksum.ts';
import { type ModelCatalog, type ModelListing, openCatalog } from '../models/listing.ts';
import type {
  CatalogCommand,
  CatalogOptions,
  CatalogQuestions,
  CatalogReport,
  ListedModel,
} from './catalog-protocol.ts';
import { faultOf } from './protocol.ts';

const { modelFolders, checksumFile, refused } = workerData as CatalogOptions;
const port = parentPort!;
const report = (message: CatalogReport) => port.postMessage(message);

let opened: Promise<ModelCatalog> | undefined;
const checksums = createChecksums(checksumFile);

port.on('message', async (command: CatalogCommand) => {
  const { id } = command;
  try {
    report({ type: 'answer', id, answer: await answer(command) });
  } catch (error) {
    report({ type: 'fault', id, fault: faultOf(error) });
  }
});

function catalog(): Promise<ModelCatalog> {
  opened ??= openCatalog(modelFolders, {
    refused,
    onSkip: (skipped) => report({ type: 'skipped', skipped }),
    onOpening: (opening) => report({ type: 'opening', opening }),
  }).catch((error: unknown) => {
    opened = undefined; // Its folder is away; the next question looks again.
    throw error;
  });
  return opened;
}

async function answer(
  command: CatalogCommand,
): Promise<CatalogQuestions[keyof CatalogQuestions]['answer']> {
  switch (command.type) {
    case 'scan': {
      const isFirst = opened === undefined; // Opening it is a look at the folders.
      const models = await catalog();
      if (!isFirst) await models.scan();
      return models.listings.map(listed);
    }
    case 'find': {
      const listing = await (await catalog()).find(command.name);
      return listing === undefined ? null : listed(listing);
    }
    case 'count': {
      const listing = await (await catalog()).find(command.name);
      if (!listing?.model) return null;
      const { prompt, isCleaned } = command;
      const how = { isCleaned, isWeighted: false };
      const { tokens, truncated } = listing.model.readPrompt(prompt, how);
      return { tokens, truncated };
    }
    case 'checksum':
      return checksums.of(command.files);
  }
}

function listed({ description, found, model }: ModelListing): ListedModel {
  if (model === null) return { description, found, usable: null };
  const { transformer, textEncoder, vae, revision } = model;
  const files = {
    transformer: transformer.weights.files,
    textEncoder: textEncoder.weights.files,
    vae: vae.weights.files,
  };
  return { description, found, usable: { revision, files } };
}
