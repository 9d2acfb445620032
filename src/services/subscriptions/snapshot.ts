import type { Scope } from '../../events/events.ts';
import { type Generation, Prisma, type PrismaClient } from '../../generated/prisma/client.ts';

export type SnapshotRow = Pick<
  Generation,
  'id' | 'status' | 'stage' | 'count' | 'steps' | 'finishedSteps' | 'failureCode' | 'failureMessage'
>;

/** The state at one moment, and the number of the owner's last event at that very moment. */
export type Snapshot = { readonly number: number; readonly rows: SnapshotRow[] };

/**
 * One statement, hence one moment: what is committed is in the rows if and only if its number is not above
 * `number`. A generation in whatever state it is; of wider scopes what is not final, oldest first.
 */
export async function readSnapshot(
  client: PrismaClient,
  ownerId: string,
  scope: Scope,
): Promise<Snapshot> {
  const rows = await client.$queryRaw<
    (SnapshotRow & { id: string | null; eventCounter: bigint })[]
  >`
    SELECT u."eventCounter", g."id", g."status", g."stage", g."count", g."steps",
      g."finishedSteps", g."failureCode", g."failureMessage"
    FROM "User" u LEFT JOIN "Generation" g ON g."ownerId" = u."id" AND ${conditionOf(scope)}
    WHERE u."id" = ${ownerId}::uuid
    ORDER BY g."createdAt", g."id"`;
  return {
    number: Number(rows[0]?.eventCounter ?? 0),
    rows: rows.filter((row) => row.id !== null),
  };
}

function conditionOf({ type, id }: Scope): Prisma.Sql {
  const isOpen = Prisma.sql`g."status" IN ('QUEUED', 'RUNNING')`;
  switch (type) {
    case 'generation':
      return Prisma.sql`g."id" = ${id}::uuid`;
    case 'project':
      return Prisma.sql`g."projectId" = ${id}::uuid AND ${isOpen}`;
    case 'owner':
      return isOpen;
  }
}
