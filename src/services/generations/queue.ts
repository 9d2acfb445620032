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
  /** Of all images. */
  readonly steps: number;
};

export type Place = {
  /** 1 is next. */
  readonly position: number;
  readonly ahead: readonly WorkAhead[];
};

export type Queue = {
  count(): Promise<{ waiting: number; running: number }>;
  /** Null unless it waits. Questions of one moment are one query. */
  place(generationId: string): Promise<Place | null>;
};

export function createQueue(client: PrismaClient): Queue {
  const places = new DataLoader<string, Place | null>(
    async (ids) => {
      const found = await placesOf(client, ids);
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
    place: (generationId) => places.load(generationId),
  };
}

type Stretch = WorkAhead & {
  /** Of one that was asked for; null for what waits between two of them. */
  readonly id: string | null;
  readonly lastPlace: number;
};

/** The line up to the last one that is asked for, cut at each of them, and added up in between. */
async function placesOf(client: PrismaClient, ids: readonly string[]): Promise<Map<string, Place>> {
  const stretches = await client.$queryRaw<Stretch[]>`
    WITH asked AS (
      SELECT line.*, line."id" = ANY(${[...ids]}::uuid[]) AS "isAsked" FROM (${line}) line
    ),
    cut AS (
      SELECT asked.*, count(*) FILTER (WHERE "isAsked") OVER (ORDER BY "place") AS "stretch"
      FROM asked
      WHERE "place" <= (SELECT max("place") FROM asked WHERE "isAsked")
    )
    SELECT CASE WHEN "isAsked" THEN "id" END AS "id", "model", "width", "height",
      sum("count" * "steps")::int AS "steps", max("place")::int AS "lastPlace"
    FROM cut
    GROUP BY "stretch", "isAsked", 1, "model", "width", "height"
    ORDER BY "lastPlace"`;
  const places = new Map<string, Place>();
  const ahead = new Map<string, WorkAhead>();
  for (const { id, lastPlace, model, width, height, steps } of stretches) {
    if (id !== null) places.set(id, { position: lastPlace, ahead: [...ahead.values()] });
    const kind = JSON.stringify([model, width, height]);
    ahead.set(kind, { model, width, height, steps: steps + (ahead.get(kind)?.steps ?? 0) });
  }
  return places;
}
