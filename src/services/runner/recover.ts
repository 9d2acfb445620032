import type { Generation } from '../../generated/prisma/client.ts';
import type { ChangeDeps } from '../event-log/change.ts';
import { handBack, maxAttempts } from './claim.ts';
import { fail } from './fail.ts';
import type { RunnerLog } from './runner-log.ts';

type Deps = ChangeDeps & { readonly log: RunnerLog };

type RunningRow = Pick<Generation, 'id' | 'runnerId' | 'attempts' | 'leaseUntil'>;

/**
 * Every RUNNING generation, at the start of a process that works alone: back to QUEUED, with the images they have, or
 * FAILED after `maxAttempts`.
 */
export async function recoverAll(deps: Deps): Promise<void> {
  for (const row of await runningRows(deps)) await recover(deps, row);
}

/** Looks at a lease that was not renewed in between, after which its runner counts as dead. */
const looksUntilAbandoned = 4;

/**
 * The same for generations whose runner no longer renews their lease, in `look`, which is called three times in a lease.
 *
 * No clock is read: a row is abandoned when its lease was found unchanged at four looks in a row. So a clock that jumps
 * changes nothing, nor does a process that was suspended. A look that took longer than `slowMs` starts the count again:
 * a database that is slow for this runner holds up the renewals of the others, too. `isOwn`: what this runner
 * works on; a row of its own that it does not know of (the answer to the claim was lost) is like any other.
 */
export function createRecovery(deps: Deps, { slowMs }: { slowMs: number }) {
  let seen = new Map<string, { lease: string; looks: number }>();
  return async function look(isOwn: (id: string) => boolean): Promise<void> {
    const asked = performance.now();
    const rows = await runningRows(deps);
    if (performance.now() - asked > slowMs) seen.clear();
    const found: typeof seen = new Map();
    for (const row of rows) {
      if (isOwn(row.id)) continue;
      const lease = `${row.runnerId} ${row.leaseUntil?.toISOString()}`;
      const before = seen.get(row.id);
      const looks = before?.lease === lease ? before.looks + 1 : 1;
      found.set(row.id, { lease, looks });
      if (looks >= looksUntilAbandoned) await recover(deps, row);
    }
    seen = found;
  };
}

function runningRows({ client }: Deps): Promise<RunningRow[]> {
  return client.generation.findMany({
    where: { status: 'RUNNING' },
    select: { id: true, runnerId: true, attempts: true, leaseUntil: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  });
}

async function recover(deps: Deps, row: RunningRow): Promise<void> {
  const { leaseUntil } = row;
  const fields = { generationId: row.id, attempts: row.attempts };
  if (row.attempts < maxAttempts) {
    const queued = await handBack(deps, row, { counts: true, leaseUntil });
    if (queued) deps.log.warn(fields, 'its process has ended: queued again');
    return;
  }
  const message = `The process ended ${row.attempts} times while this generation ran`;
  const failed = await fail(deps, row, { code: 'ENGINE_FAILED', message, leaseUntil });
  if (failed) deps.log.error(fields, 'its process has ended too often: failed');
}
