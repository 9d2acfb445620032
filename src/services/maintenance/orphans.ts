import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';

/** Files that are looked up in one query. */
const batch = 500;

/**
 * Deletes the originals that no row names, of generations that have ended: those of one that waits or runs are
 * deleted by its next attempt. Safe at any time. Gives how many there were.
 */
export async function sweepOrphans(
  client: PrismaClient,
  storage: Storage,
  signal: AbortSignal,
): Promise<number> {
  let deleted = 0;
  let keys: string[] = [];
  const sweep = async () => {
    const orphans = await findOrphans(client, keys);
    for (const key of orphans) await storage.delete(key);
    deleted += orphans.length;
    keys = [];
  };
  for await (const { key } of storage.list('originals/')) {
    if (signal.aborted) return deleted;
    keys.push(key);
    if (keys.length === batch) await sweep();
  }
  // Uploads have no generation to tell whether they are under way: an hour is long enough for any.
  const before = Date.now() - 3_600_000;
  for await (const { key, modifiedAt } of storage.list('uploads/')) {
    if (signal.aborted) return deleted;
    if (modifiedAt.getTime() < before) keys.push(key);
    if (keys.length === batch) await sweep();
  }
  await sweep();
  return deleted;
}

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
