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
  /** Changes with the file's bytes, and with nothing else. */
  readonly tag: string;
  /** What a browser saves it under. */
  readonly name: string;
};

export type Renditions = {
  /** The original, or a rendition that is made now if it is not there. @throws NotFound */
  find(file: LinkedFile, negotiated: (original: ImageFormat) => ImageFormat): Promise<FoundFile>;
};

/** Raised when `images/renditions.ts` draws the same request otherwise: old files are then left alone. */
const version = 1;

export function createRenditions(deps: { client: PrismaClient; storage: Storage }): Renditions {
  const { client, storage } = deps;
  /** A picture that twenty tiles of a page ask for at once is made once. */
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

      const format = file.format ?? negotiated(asset.format);
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

export function isOriginal({ width, height, format, stripMetadata }: LinkedFile): boolean {
  return width === null && height === null && format === null && !stripMetadata;
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

/** All that a rendition depends on is in its key, so what is there never changes. */
function keyOf(asset: Asset, rendition: Rendition): string {
  return `renditions/${asset.id}/${nameOf(rendition)}`;
}

function nameOf({ width, height, fit, format, stripMetadata }: Rendition): string {
  const box = `${width ?? ''}x${height ?? ''}`;
  const words = [`v${version}`, box, ...(fit === 'COVER' ? ['cover'] : [])];
  return `${[...words, ...(stripMetadata ? ['bare'] : [])].join('-')}.${extensionOf(format)}`;
}

/** For people who find it among their downloads. */
function titleOf(asset: Asset): string {
  return asset.title ?? `easel-${asset.seed ?? asset.id}`;
}
