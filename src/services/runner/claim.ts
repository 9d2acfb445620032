import type { Events } from '../../events/events.ts';
import { type Generation, Prisma, type PrismaClient } from '../../generated/prisma/client.ts';
import { announce } from '../event-log/announce.ts';
import { append } from '../event-log/log.ts';
import { line } from '../generations/queue.ts';
import { changeStatus, released } from '../generations/transition.ts';

/** How often a generation may take its engine, or the process, down with it. */
export const maxAttempts = 3;

/** Whose work it is: a runner, and how long its word is taken for it. */
export type Claimant = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly runnerId: string;
  readonly leaseMs: number;
};

/**
 * The next one in line, now RUNNING and ours until the lease ends; null where nothing waits. The row is locked
 * for the change: a second runner passes it over and takes the one behind.
 */
export async function claimNext(claimant: Claimant): Promise<Generation | null> {
  const { client, events, runnerId, leaseMs } = claimant;
  const claimed = await client.$transaction(async (tx) => {
    const [taken] = await tx.$queryRaw<{ id: string }[]>`
      WITH line AS (${line}),
      next AS (
        SELECT g."id" FROM line JOIN "Generation" g ON g."id" = line."id"
        WHERE g."status" = 'QUEUED'
        ORDER BY line."place" LIMIT 1
        FOR UPDATE OF g SKIP LOCKED
      )
      UPDATE "Generation" g
      SET "status" = 'RUNNING', "startedAt" = now(), "attempts" = g."attempts" + 1,
        "runnerId" = ${runnerId}::uuid, "leaseUntil" = ${leaseFromNow(leaseMs)}
      FROM next WHERE g."id" = next."id"
      RETURNING g."id"`;
    if (taken === undefined) return null;
    const generation = await tx.generation.findUniqueOrThrow({ where: taken });
    const { ownerId, projectId, id: generationId } = generation;
    await tx.user.update({ where: { id: ownerId }, data: { servedAt: generation.startedAt } });
    const subject = { ownerId, projectId, generationId };
    return {
      generation,
      subject,
      number: await append(tx, { ...subject, type: 'GenerationStarted' }),
    };
  });
  if (claimed === null) return null;
  announce(events, claimed.subject, claimed.number);
  return claimed.generation;
}

/** Those of `ids` that are still ours, with a fresh lease. */
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
 * It waits again, with what it has; null where it has ended or gone to another runner by now. `counts`: whether
 * this attempt is held against it.
 */
export function handBack(
  deps: { client: PrismaClient; events: Events },
  row: Pick<Generation, 'id' | 'runnerId'>,
  { counts }: { counts: boolean },
): Promise<Generation | null> {
  const attempts = counts ? {} : { attempts: { decrement: 1 } };
  return changeStatus(deps, {
    id: row.id,
    from: { status: 'RUNNING', runnerId: row.runnerId },
    to: { status: 'QUEUED', startedAt: null, ...attempts, ...released },
    event: 'GenerationQueued',
  });
}

/** By the database's clock, which all runners share. */
function leaseFromNow(leaseMs: number): Prisma.Sql {
  return Prisma.sql`now() + ${leaseMs}::float8 * interval '1 millisecond'`;
}
