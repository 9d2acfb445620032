import DataLoader from 'dataloader';
import { Prisma, type PrismaClient } from '../../generated/prisma/client.ts';

/**
 * All that wait, with their place: users take turns (fewest running, then least recently served), and within a
 * user priority comes first, then age. Whoever runs n and waits for a turn of m stands where one who runs none
 * waits for turn n + m. The claim, the position and the estimate are this one query.
 */
export const line = Prisma.sql`
  SELECT w."id", w."ownerId", w."model", w."width", w."height", w."steps", w."count",
    row_number() OVER (
      ORDER BY w."turn" + coalesce(r."running", 0), u."servedAt" NULLS FIRST,
        w."priority" DESC, w."createdAt", w."id"
    ) AS "place"
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

/** Work that stands before a generation, by what its time depends on. */
export type WorkAhead = {
  readonly model: string;
  readonly width: number;
  readonly height: number;
  readonly images: number;
  readonly steps: number;
};

export type Queue = {
  count(): Promise<{ waiting: number; running: number }>;
  /** 1 is next; null unless it waits. Questions of one moment are one query. */
  position(generationId: string): Promise<number | null>;
  /** What waits before it; null unless it waits. */
  ahead(generationId: string): Promise<WorkAhead[] | null>;
};

export function createQueue(client: PrismaClient): Queue {
  const positions = new DataLoader<string, number | null>(
    async (ids) => {
      const places = await placesOf(client, ids);
      return ids.map((id) => places.get(id) ?? null);
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
    async ahead(generationId) {
      const rows = await client.$queryRaw<(WorkAhead & { isMine: boolean })[]>`
        WITH line AS (${line}), mine AS (SELECT "place" FROM line WHERE "id" = ${generationId}::uuid)
        SELECT l."model", l."width", l."height", (l."place" = mine."place") AS "isMine",
          sum(l."count")::int AS "images", sum(l."count" * l."steps")::int AS "steps"
        FROM line l, mine WHERE l."place" <= mine."place"
        GROUP BY l."model", l."width", l."height", (l."place" = mine."place")`;
      if (rows.length === 0) return null;
      return rows.filter((row) => !row.isMine);
    },
  };
}

async function placesOf(client: PrismaClient, ids: readonly string[]) {
  const rows = await client.$queryRaw<{ id: string; place: bigint }[]>`
    SELECT "id", "place" FROM (${line}) line WHERE "id" = ANY(${[...ids]}::uuid[])`;
  return new Map(rows.map((row) => [row.id, Number(row.place)]));
}
