import type { Generation } from '../../generated/prisma/client.ts';
import type { ChangeDeps } from '../event-log/change.ts';
import { handBack, maxAttempts } from './claim.ts';
import { fail } from './fail.ts';
import type { RunnerLog } from './runner-log.ts';

type Deps = ChangeDeps & { readonly log: RunnerLog };

/**
 * Generations that are RUNNING in a process that has died: back to QUEUED, with the images they have, or FAILED
 * after `maxAttempts`. Those whose lease ran out, or `all` at the start of a process that works alone.
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
    if (queued) deps.log.warn(fields, 'its process has ended: queued again');
    return;
  }
  const message = `The process ended ${row.attempts} times while this generation ran`;
  const failed = await fail(deps, row, { code: 'ENGINE_FAILED', message });
  if (failed) deps.log.error(fields, 'its process has ended too often: failed');
}
