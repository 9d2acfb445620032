import type { Asset, PrismaClient } from '../../generated/prisma/client.ts';
import { extensionOf, type ImageFormat, mimeOf } from '../../images/formats.ts';
import { type Rendition, renderRendition } from '../../images/renditions.ts';
import { ObjectMissing, type Storage } from '../../storage/storage.ts';
import { NotFound, toGlobalId } from '../relay/global-id.ts';
import type { LinkedFile } from './links.ts';

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
  /** The original, or a rendition that is made now if it is not there. @throws NotFound */
  find(file: LinkedFile, negotiated: (original: ImageFormat) => ImageFormat): Promise<FoundFile>;
};

/** Raised when `images/renditions.ts` renders the same request differently: files of older versions are not used then. */
const version = 2;

export function createRenditions(deps: { client: PrismaClient; storage: Storage }): Renditions {
  const { client, storage } = deps;
  /** Renditions under way: requests for the same one at the same time share its rendering. */
  const making = new Map<string, Promise<void>>();

  const make = async (key: string, asset: Asset, rendition: Rendition) => {
    const original = await storage.read(asset.storageKey);
    const { bytes } = await renderRendition(original, rendition);
    await storage.write(key, bytes);
  };

  return {
    async find(file, negotiated) {
      const asset = await client.asset.findUnique({ where: { id: file.assetId } });
      if (asset === null) throw new NotFound('an asset', toGlobalId('Asset', file.assetId));
      if (isOriginal(file)) return original(asset);

      const format = file.format ?? (isNegotiated(file) ? negotiated(asset.format) : asset.format);
      const { width, height, fit, stripMetadata } = file;
      const key = keyOf(asset, { width, height, fit, format, stripMetadata });
      let stored = await storage.stat(key);
      if (stored === null) {
        const running =
          making.get(key) ??
          make(key, asset, { width, height, fit, format, stripMetadata }).finally(() =>
            making.delete(key),
          );
        making.set(key, running);
        await running;
        stored = await storage.stat(key);
      }
      if (stored === null) throw new ObjectMissing(key);
      return {
        storageKey: key,
        bytes: stored.bytes,
        mime: mimeOf(format),
        tag: `${asset.sha256.slice(0, 24)}-${nameOf({ width, height, fit, format, stripMetadata })}`,
        name: `${titleOf(asset)}.${extensionOf(format)}`,
      };
    },
  };
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

/** The key holds everything that the rendition depends on, so a stored one stays valid. */
function keyOf(asset: Asset, rendition: Rendition): string {
  return `renditions/${asset.id}/${nameOf(rendition)}`;
}

function nameOf({ width, height, fit, format, stripMetadata }: Rendition): string {
  const box = `${width ?? ''}x${height ?? ''}`;
  const words = [`v${version}`, box, ...(fit === 'COVER' ? ['cover'] : [])];
  return `${[...words, ...(stripMetadata ? ['bare'] : [])].join('-')}.${extensionOf(format)}`;
}

/** First part of the file name for downloads. */
function titleOf(asset: Asset): string {
  return asset.title ?? `easel-${asset.seed ?? asset.id}`;
}
