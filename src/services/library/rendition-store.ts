import type { Storage } from '../../storage/storage.ts';
import { renditionLimits } from './limits.ts';

/** The stored renditions, bounded in number for each asset, and in bytes for all: the least recently used go. */
export type RenditionStore = {
  /** Null where it is not stored. */
  find(key: string): Promise<{ bytes: number } | null>;
  add(key: string, bytes: Uint8Array): Promise<void>;
};

export const renditionsFolder = 'renditions/';

/** What lies there already counts as used when it was written. */
export function createRenditionStore(
  storage: Storage,
  limits: { perAsset: number; bytes: number } = renditionLimits,
): RenditionStore {
  /** Key to bytes, the least recently used first. */
  const known = new Map<string, number>();
  const ofAsset = new Map<string, Set<string>>();
  let total = 0;
  let loading: Promise<void> | null = null;

  const load = async () => {
    const found: { key: string; bytes: number; modifiedAt: Date }[] = [];
    for await (const file of storage.list(renditionsFolder)) found.push(file);
    found.sort((a, b) => a.modifiedAt.getTime() - b.modifiedAt.getTime());
    for (const { key, bytes } of found) if (!known.has(key)) remember(key, bytes);
  };
  const remember = (key: string, bytes: number) => {
    forget(key);
    known.set(key, bytes);
    total += bytes;
    const asset = assetOf(key);
    const keys = ofAsset.get(asset) ?? new Set();
    ofAsset.set(asset, keys.add(key));
  };
  const forget = (key: string) => {
    total -= known.get(key) ?? 0;
    known.delete(key);
    const keys = ofAsset.get(assetOf(key));
    keys?.delete(key);
    if (keys?.size === 0) ofAsset.delete(assetOf(key));
  };
  const drop = async (key: string) => {
    forget(key);
    await storage.delete(key);
  };

  return {
    async find(key) {
      const found = await storage.stat(key);
      if (found === null) return null;
      remember(key, found.bytes);
      return found;
    },
    async add(key, bytes) {
      loading ??= load();
      await loading;
      await storage.write(key, bytes);
      remember(key, bytes.length);
      const keys = ofAsset.get(assetOf(key)) ?? new Set<string>();
      // Of one asset in the order in which they were made or found, which `remember` keeps.
      for (const oldest of keys) {
        if (keys.size <= limits.perAsset) break;
        await drop(oldest);
      }
      for (const oldest of known.keys()) {
        if (total <= limits.bytes || oldest === key) break;
        await drop(oldest);
      }
    },
  };
}

/** The part behind the folder: whose renditions lie together. */
function assetOf(key: string): string {
  return key.split('/', 2).join('/');
}
