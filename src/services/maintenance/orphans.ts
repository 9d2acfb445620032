import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { ObjectInfo, Storage } from '../../storage/storage.ts';

/** Files that are looked up in one query. */
const batch = 500;

/**
 * Deletes the files that no row names; originals of generations that have ended: those of one that waits or runs are
 * deleted by its next attempt. Safe at any time. Gives how many there were.
 */
export async function sweepOrphans(
  client: PrismaClient,
  storage: Storage,
  signal: AbortSignal,
): Promise<number> {
  let deleted = 0;
  const sweep = async (folder: string, find: FindOrphans, isOld: (file: ObjectInfo) => boolean) => {
    let keys: string[] = [];
    const look = async () => {
      const orphans = await find(client, keys);
      for (const key of orphans) await storage.delete(key);
      deleted += orphans.length;
      keys = [];
    };
    for await (const { key, ...file } of storage.list(folder)) {
      if (signal.aborted) return;
      if (isOld(file)) keys.push(key);
      if (keys.length === batch) await look();
    }
    await look();
  };
  await sweep('originals/', findOrphans, () => true);
  await sweep('uploads/', findOrphans, isSettled);
  await sweep('renditions/', unknownRenditions, () => true);
  return deleted;
}

/** Uploads have no generation to tell whether they are under way: an hour is long enough for any. */
export function isSettled({ modifiedAt }: ObjectInfo): boolean {
  return modifiedAt.getTime() < Date.now() - 3_600_000;
}

type FindOrphans = (client: PrismaClient, keys: readonly string[]) => Promise<string[]>;

/** Those of `keys` that no row names, but for those of generations that wait or run. */
export async function findOrphans(
  client: PrismaClient,
  keys: readonly string[],
): Promise<string[]> {
  const rows = await client.$queryRaw<{ key: string }[]>`
    SELECT f."key" FROM unnest(${[...keys]}::text[]) AS f("key")
    WHERE NOT EXISTS (SELECT 1 FROM "Asset" a WHERE a."storageKey" = f."key")
    AND NOT EXISTS (
      SELECT 1 FROM "Generation" g
      WHERE g."id"::text = split_part(f."key", '/', 2) AND g."status" IN ('QUEUED', 'RUNNING')
    )`;
  return rows.map((row) => row.key);
}

/** Renditions of assets that no longer exist. */
export async function unknownRenditions(
  client: PrismaClient,
  keys: readonly string[],
): Promise<string[]> {
  const rows = await client.$queryRaw<{ key: string }[]>`
    SELECT f."key" FROM unnest(${[...keys]}::text[]) AS f("key")
    WHERE NOT EXISTS (SELECT 1 FROM "Asset" a WHERE a."id"::text = split_part(f."key", '/', 2))`;
  return rows.map(({ key }) => key);
}

/** Deletes orphans once, in the background, until it is stopped. */
export function startOrphanSweep(deps: {
  readonly client: PrismaClient;
  readonly storage: Storage;
  readonly onDeleted: (deleted: number) => void;
  readonly onError: (error: unknown) => void;
}): { stop(): Promise<void> } {
  const stop = new AbortController();
  const sweeping = sweepOrphans(deps.client, deps.storage, stop.signal).then(
    (deleted) => (deleted > 0 ? deps.onDeleted(deleted) : undefined),
    deps.onError,
  );
  return {
    async stop() {
      stop.abort();
      await sweeping;
    },
  };
}
