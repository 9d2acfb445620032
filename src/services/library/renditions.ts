import type { Asset, PrismaClient } from '../../generated/prisma/client.ts';
import { extensionOf, type ImageFormat, mimeOf } from '../../images/formats.ts';
import { boxWithin, type Rendition, renderRendition } from '../../images/renditions.ts';
import { ObjectMissing, type Storage } from '../../storage/storage.ts';
import { working } from '../access/keys.ts';
import { NotFound, toGlobalId } from '../relay/global-id.ts';
import { createFairTurns } from './fair-turns.ts';
import { renditionLimits } from './limits.ts';
import type { LinkedFile } from './links.ts';
import { createRenditionStore, renditionsFolder } from './rendition-store.ts';

/** A file, found and ready to be sent. */
export type FoundFile = {
  readonly storageKey: string;
  readonly bytes: number;
  readonly mime: string;
  /** ETag: changes if and only if the bytes of the file do. */
  readonly tag: string;
  /** File name for downloads. */
  readonly name: string;
};

export type Renditions = {
  /**
   * The original, or a rendition that is made now if it is not there. `signal`: aborts when who asks has gone.
   * @throws NotFound, or RATE_LIMITED where too many wait to be made
   */
  find(
    file: LinkedFile,
    negotiated: (original: ImageFormat) => ImageFormat,
    signal: AbortSignal,
  ): Promise<FoundFile>;
};

/** Raised when `images/renditions.ts` renders the same request differently: files of older versions are not used then. */
const version = 3;

export function createRenditions(deps: { client: PrismaClient; storage: Storage }): Renditions {
  const { client, storage } = deps;
  const store = createRenditionStore(storage);
  const turns = createFairTurns(renditionLimits);
  /** Renditions under way, and who waits for them: requests for the same one share its rendering. */
  const making = new Map<
    string,
    { readonly waiting: Set<AbortSignal>; readonly made: Promise<void> }
  >();

  const make = async (key: string, asset: Asset, rendition: Rendition) => {
    const original = await storage.read(asset.storageKey);
    const { bytes } = await renderRendition(original, rendition);
    await store.add(key, bytes);
  };
  /** In its turn among those of other images; not at all where all who asked have gone by then. */
  const makeInTurn = (key: string, asset: Asset, rendition: Rendition, signal: AbortSignal) => {
    const running = making.get(key);
    if (running !== undefined) {
      running.waiting.add(signal);
      return running.made;
    }
    const waiting = new Set([signal]);
    const isWanted = () => [...waiting].some(({ aborted }) => !aborted);
    const made = turns
      .run(asset.id, { isWanted, work: () => make(key, asset, rendition) })
      .then(() => {})
      .finally(() => making.delete(key));
    making.set(key, { waiting, made });
    return made;
  };

  return {
    async find(file, negotiated, signal) {
      const asset = await findLinked(client, file);
      if (asset === null) throw new NotFound('an asset', toGlobalId('Asset', file.assetId));
      if (isOriginal(file)) return original(asset);

      const format = file.format ?? (isNegotiated(file) ? negotiated(asset.format) : asset.format);
      const { stripMetadata } = file;
      // Different requests for the same pixels share one file.
      const box = boxWithin(asset, file);
      const rendition = { ...box, fit: 'COVER', format, stripMetadata } as const;
      const key = `${renditionsFolder}${asset.id}/${nameOf(rendition)}`;
      let stored = await store.find(key);
      // Twice where the others who asked had gone, and it was just given up for them.
      for (let tries = 0; stored === null && tries < 5 && !signal.aborted; tries++) {
        await makeInTurn(key, asset, rendition, signal);
        stored = await store.find(key);
      }
      if (stored === null) throw new ObjectMissing(key);
      return {
        storageKey: key,
        bytes: stored.bytes,
        mime: mimeOf(format),
        tag: `${asset.sha256.slice(0, 24)}-${nameOf(rendition)}`,
        name: `${titleOf(asset)}.${extensionOf(format)}`,
      };
    },
  };
}

/** Null where it is gone, or the user or the key that the link was given to no longer holds. */
async function findLinked(
  client: PrismaClient,
  { assetId, apiKeyId }: LinkedFile,
): Promise<Asset | null> {
  const asset = client.asset.findUnique({ where: { id: assetId, owner: { removedAt: null } } });
  if (apiKeyId === null) return asset;
  const key = await client.apiKey.findUnique({ where: { id: apiKeyId, ...working() } });
  return key === null ? null : asset;
}

export function isOriginal(file: LinkedFile): boolean {
  return !hasSize(file) && file.format === null && !file.stripMetadata;
}

/** Where the client leaves the format open, one that is asked for in another size gets the best for its Accept header. */
export function isNegotiated(file: LinkedFile): boolean {
  return hasSize(file) && file.format === null;
}

function hasSize({ width, height }: LinkedFile): boolean {
  return width !== null || height !== null;
}

function original(asset: Asset): FoundFile {
  return {
    storageKey: asset.storageKey,
    bytes: Number(asset.bytes),
    mime: mimeOf(asset.format),
    tag: asset.sha256,
    name: `${titleOf(asset)}.${extensionOf(asset.format)}`,
  };
}

/** Holds everything that the pixels and the bytes depend on, so a stored one stays valid. */
function nameOf({ width, height, format, stripMetadata }: Rendition): string {
  const words = [`v${version}`, `${width}x${height}`, ...(stripMetadata ? ['bare'] : [])];
  return `${words.join('-')}.${extensionOf(format)}`;
}

/** First part of the file name for downloads. */
function titleOf(asset: Asset): string {
  return asset.title ?? `easel-${asset.seed ?? asset.id}`;
}
