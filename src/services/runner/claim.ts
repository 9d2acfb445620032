import { type Generation, Prisma } from '../../generated/prisma/client.ts';
import { type ChangeDeps, change } from '../event-log/change.ts';
import { waitingInOrder } from '../generations/queue.ts';
import { changeStatus, released, subjectOf } from '../generations/transition.ts';

/** Attempts after which a generation has failed whose engine or process died each time. */
export const maxAttempts = 3;

/** The runner that claims, and how long a claim holds that it does not renew. */
export type Claimant = ChangeDeps & {
  readonly runnerId: string;
  readonly leaseMs: number;
  /** Generations of one user that run at once. */
  readonly maxRunningPerUser: number;
};

/**
 * The first of the queue, now RUNNING and this runner's until the lease ends; null where nothing waits. The row
 * is locked for the change: a second runner skips it and takes the next one.
 */
export function claimNext(claimant: Claimant): Promise<Generation | null> {
  const { runnerId, leaseMs, maxRunningPerUser } = claimant;
  return change(claimant, async ({ tx, record }) => {
    const [taken] = await tx.$queryRaw<{ id: string }[]>`
      WITH waiting AS (${waitingInOrder}),
      next AS (
        SELECT g."id" FROM waiting JOIN "Generation" g ON g."id" = waiting."id"
        WHERE g."status" = 'QUEUED' AND NOT EXISTS (SELECT 1 FROM "Installation" WHERE "pausedAt" IS NOT NULL)
          AND waiting."running" < ${maxRunningPerUser}
        ORDER BY waiting."position" LIMIT 1
        FOR UPDATE OF g SKIP LOCKED
      )
      UPDATE "Generation" g
      SET "status" = 'RUNNING', "startedAt" = now(), "attempts" = g."attempts" + 1,
        "runnerId" = ${runnerId}::uuid, "leaseUntil" = ${leaseFromNow(leaseMs)}
      FROM next WHERE g."id" = next."id"
      RETURNING g."id"`;
    if (taken === undefined) return null;
    const generation = await tx.generation.findUniqueOrThrow({ where: taken });
    const { ownerId, startedAt } = generation;
    await tx.user.update({ where: { id: ownerId }, data: { servedAt: startedAt } });
    record({ ...subjectOf(generation), type: 'GenerationStarted' });
    return generation;
  });
}

/** Renews the leases of `ids`. Gives those of them that this runner still has. */
export async function renewLeases(
  { client, runnerId, leaseMs }: Claimant,
  ids: readonly string[],
): Promise<Set<string>> {
  const rows = await client.$queryRaw<{ id: string }[]>`
    UPDATE "Generation" SET "leaseUntil" = ${leaseFromNow(leaseMs)}
    WHERE "id" = ANY(${[...ids]}::uuid[]) AND "status" = 'RUNNING' AND "runnerId" = ${runnerId}::uuid
    RETURNING "id"`;
  return new Set(rows.map((row) => row.id));
}

/**
 * Back to QUEUED, with the images it has; null where it has ended or another runner has it by now. `counts`:
 * whether this attempt counts as one of `maxAttempts`. `leaseUntil`: only where nobody has renewed this lease since.
 */
export function handBack(
  deps: ChangeDeps,
  row: Pick<Generation, 'id' | 'runnerId'>,
  {
    counts,
    finishedSteps,
    leaseUntil,
  }: { counts: boolean; finishedSteps?: number; leaseUntil?: Date | null },
): Promise<Generation | null> {
  const attempts = counts ? {} : { attempts: { decrement: 1 } };
  const progress = finishedSteps === undefined ? {} : { finishedSteps };
  return changeStatus(deps, {
    id: row.id,
    from: { status: 'RUNNING', runnerId: row.runnerId, leaseUntil },
    to: { status: 'QUEUED', startedAt: null, ...attempts, ...progress, ...released },
    event: 'GenerationQueued',
  });
}

/** By the database's clock, which all runners share. */
function leaseFromNow(leaseMs: number): Prisma.Sql {
  return Prisma.sql`now() + ${leaseMs}::float8 * interval '1 millisecond'`;
}
