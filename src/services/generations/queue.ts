import DataLoader from 'dataloader';
import { Prisma, type PrismaClient } from '../../generated/prisma/client.ts';

/**
 * All generations that wait, in order: users take turns (fewest running first, then least recently served), and
 * within a user priority comes first, then age. The m-th waiting one of a user with n running comes where the
 * (n + m)-th of a user with none running comes. The claim, the position and the estimate are this one query.
 */
export const waitingInOrder = Prisma.sql`
  SELECT w."id", w."ownerId", w."model", w."width", w."height", w."steps", w."count",
    coalesce(r."running", 0)::int AS "running",
    row_number() OVER (
      ORDER BY w."turn" + coalesce(r."running", 0), u."servedAt" NULLS FIRST,
        w."priority" DESC, w."createdAt", w."id"
    ) AS "position"
  FROM (
    SELECT g.*, row_number() OVER (
      PARTITION BY g."ownerId" ORDER BY g."priority" DESC, g."createdAt", g."id"
    ) AS "turn"
    FROM "Generation" g WHERE g."status" = 'QUEUED'
  ) w
  JOIN "User" u ON u."id" = w."ownerId"
  LEFT JOIN (
    SELECT "ownerId", count(*) AS "running"
    FROM "Generation" WHERE "status" = 'RUNNING' GROUP BY "ownerId"
  ) r ON r."ownerId" = w."ownerId"`;

/** Work that comes before a generation, by what its time depends on. */
export type WorkAhead = {
  readonly model: string;
  readonly width: number;
  readonly height: number;
  /** Of all images. */
  readonly steps: number;
};

export type QueuePosition = {
  /** 1 is next. */
  readonly position: number;
  readonly ahead: readonly WorkAhead[];
};

export type Queue = {
  count(): Promise<{ waiting: number; running: number }>;
  /** Null unless it waits. What is asked for in one turn of the event loop is one query. */
  position(generationId: string): Promise<QueuePosition | null>;
};

export function createQueue(client: PrismaClient): Queue {
  const positions = new DataLoader<string, QueuePosition | null>(
    async (ids) => {
      const found = await positionsOf(client, ids);
      return ids.map((id) => found.get(id) ?? null);
    },
    { cache: false },
  );
  return {
    async count() {
      const rows = await client.generation.groupBy({
        by: ['status'],
        where: { status: { in: ['QUEUED', 'RUNNING'] } },
        _count: true,
      });
      const of = (status: string) => rows.find((row) => row.status === status)?._count ?? 0;
      return { waiting: of('QUEUED'), running: of('RUNNING') };
    },
    position: (generationId) => positions.load(generationId),
  };
}

type Stretch = WorkAhead & {
  /** Of a generation that was asked for; null for those that wait between two of them. */
  readonly id: string | null;
  readonly lastPosition: number;
};

/** The queue up to the last one that is asked for, cut at each of them, and added up in between. */
async function positionsOf(
  client: PrismaClient,
  ids: readonly string[],
): Promise<Map<string, QueuePosition>> {
  const stretches = await client.$queryRaw<Stretch[]>`
    WITH asked AS (
      SELECT waiting.*, waiting."id" = ANY(${[...ids]}::uuid[]) AS "isAsked" FROM (${waitingInOrder}) waiting
    ),
    cut AS (
      SELECT asked.*, count(*) FILTER (WHERE "isAsked") OVER (ORDER BY "position") AS "stretch"
      FROM asked
      WHERE "position" <= (SELECT max("position") FROM asked WHERE "isAsked")
    )
    SELECT CASE WHEN "isAsked" THEN "id" END AS "id", "model", "width", "height",
      sum("count" * "steps")::int AS "steps", max("position")::int AS "lastPosition"
    FROM cut
    GROUP BY "stretch", "isAsked", 1, "model", "width", "height"
    ORDER BY "lastPosition"`;
  const positions = new Map<string, QueuePosition>();
  const ahead = new Map<string, WorkAhead>();
  for (const { id, lastPosition, model, width, height, steps } of stretches) {
    if (id !== null) positions.set(id, { position: lastPosition, ahead: [...ahead.values()] });
    const kind = JSON.stringify([model, width, height]);
    ahead.set(kind, { model, width, height, steps: steps + (ahead.get(kind)?.steps ?? 0) });
  }
  return positions;
}
