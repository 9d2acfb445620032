import type { Events } from '../../events/events.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';
import { handBack, maxAttempts } from './claim.ts';
import { fail } from './fail.ts';
import type { Log } from './runner-log.ts';

type Deps = { readonly client: PrismaClient; readonly events: Events; readonly log: Log };

/**
 * What a dead process has left RUNNING waits again, with the images it has; what has taken down too many
 * of them has FAILED. Which ones are dead: those whose lease ran out, or `all` at the start of a process
 * that works alone.
 */
export async function recoverAbandoned(deps: Deps, which: 'all' | 'expired'): Promise<void> {
  const { client } = deps;
  const rows = await client.$queryRaw<Pick<Generation, 'id' | 'runnerId' | 'attempts'>[]>`
    SELECT "id", "runnerId", "attempts" FROM "Generation"
    WHERE "status" = 'RUNNING' AND (${which === 'all'}::boolean OR "leaseUntil" < now())
    ORDER BY "createdAt", "id"`;
  for (const row of rows) await recover(deps, row);
}

async function recover(
  deps: Deps,
  row: Pick<Generation, 'id' | 'runnerId' | 'attempts'>,
): Promise<void> {
  const fields = { generationId: row.id, attempts: row.attempts };
  if (row.attempts < maxAttempts) {
    const queued = await handBack(deps, row, { counts: true });
    if (queued) deps.log.warn(fields, 'its process is gone: it waits again');
    return;
  }
  const message = `The process ended ${row.attempts} times while this generation ran`;
  const failed = await fail(deps, row, { code: 'ENGINE_FAILED', message });
  if (failed) deps.log.error(fields, 'its process is gone again: it has failed');
}

/** Files whose fate is asked for at once. */
const batch = 500;

/**
 * Deletes the files that no row knows of and none ever will: those of generations that are over. Of one that
 * waits or runs, whoever takes it up clears away what it finds. Safe at any time. Gives how many there were.
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
  await sweep();
  return deleted;
}

/** Of a generation that waits or runs, whoever takes it up clears away what it finds. */
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
