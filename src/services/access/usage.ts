import { Prisma, type PrismaClient } from '../../generated/prisma/client.ts';

export type UsageRow = {
  readonly generations: number;
  readonly images: number;
  readonly steps: number;
  readonly engineSeconds: number;
  readonly storedBytes: number;
};

/** Whose use it is: of a user, and where a further row id is given of that project or key alone. */
export type UsageOf = {
  readonly ownerId: string;
  readonly projectId?: string;
  readonly apiKeyId?: string;
};
export type Period = { readonly from?: Date | null; readonly to?: Date | null };

/** Counted where it happened: a generation at its request, an image when it was stored. Deleted ones no longer count. */
export async function usageOf(
  client: PrismaClient,
  { ownerId, projectId, apiKeyId }: UsageOf,
  { from = null, to = null }: Period,
): Promise<UsageRow> {
  const within = (table: string) => {
    const column = Prisma.raw(`${table}."createdAt"`);
    return Prisma.sql`(${from}::timestamptz IS NULL OR ${column} >= ${from})
      AND (${to}::timestamptz IS NULL OR ${column} < ${to})`;
  };
  const ofKey = apiKeyId ? Prisma.sql`AND g."apiKeyId" = ${apiKeyId}::uuid` : Prisma.empty;
  const generations = projectId ? Prisma.sql`AND g."projectId" = ${projectId}::uuid` : Prisma.empty;
  const assets = projectId ? Prisma.sql`AND a."projectId" = ${projectId}::uuid` : Prisma.empty;
  const [row] = await client.$queryRaw<UsageRow[]>`
    SELECT g."generations", g."steps", g."engineSeconds", a."images", a."storedBytes"
    FROM (
      SELECT count(*)::int AS "generations", coalesce(sum(g."finishedSteps"), 0)::int AS "steps",
        coalesce(sum((SELECT sum((t->>'milliseconds')::float8) FROM jsonb_array_elements(g."timings") t)), 0) / 1000
          AS "engineSeconds"
      FROM "Generation" g
      WHERE g."ownerId" = ${ownerId}::uuid AND ${within('g')} ${generations} ${ofKey}
    ) g, (
      SELECT count(*) FILTER (WHERE a."origin" = 'GENERATED')::int AS "images",
        coalesce(sum(a."bytes"), 0)::float8 AS "storedBytes"
      FROM "Asset" a LEFT JOIN "Generation" g ON g."id" = a."generationId"
      WHERE a."ownerId" = ${ownerId}::uuid AND ${within('a')} ${assets} ${ofKey}
    ) a`;
  if (row === undefined) throw new Error('Expected one row of usage');
  return row;
}
