import { DomainError } from '../../errors.ts';
import { Prisma, type PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { numberProblems } from '../input/number.ts';
import { refuse } from '../input/problems.ts';
import { textProblems } from '../input/text.ts';
import { requireRowId } from '../relay/global-id.ts';
import { filterLength, tagCounts } from '../relay/limits.ts';
import { writeCursor } from '../relay/pagination.ts';
import { type AssetFilter, assetFilterProblems, assetList } from './asset-filter.ts';

export type FacetCount = { readonly value: string; readonly count: number };
const facetNames = ['models', 'samplers', 'tags', 'origins', 'kinds', 'sizes'] as const;
export type AssetFacets = { readonly total: number } & Readonly<
  Record<(typeof facetNames)[number], readonly FacetCount[]>
>;
export type TimelineBucket = {
  readonly start: Date;
  readonly count: number;
  readonly cursor: string;
};
export type TimelineUnit = 'DAY' | 'MONTH';

export type AssetCounts = {
  /** How many assets each value would leave, the most frequent 100 of each. @throws DomainError QUERY_TOO_COMPLEX */
  facets(viewer: Viewer, projectId: string | null, filter: AssetFilter): Promise<AssetFacets>;
  /** Days or months of a time zone that hold assets, newest first. @throws DomainError QUERY_TOO_COMPLEX */
  timeline(
    viewer: Viewer,
    list: { projectId: string | null; filter: AssetFilter; by: TimelineUnit; timeZone: string },
  ): Promise<TimelineBucket[]>;
  /** Tags in use outside the trash, the most used first. `search`: what they begin with. @throws DomainError QUERY_TOO_COMPLEX */
  tags(
    viewer: Viewer,
    list: { projectId: string | null; search: string | null; first: number },
  ): Promise<{ tag: string; count: number }[]>;
};

/** Values of one facet. */
const facetValues = 100;

export function createAssetCounts({ client }: { client: PrismaClient }): AssetCounts {
  return {
    async facets(viewer, projectId, filter) {
      refuse(assetFilterProblems(filter, projectId));
      const { where } = assetList(viewer, projectId, filter);
      const facet = (name: string, value: Prisma.Sql, from = Prisma.sql`matched`) => Prisma.sql`
        (SELECT ${name} AS "facet", ${value} AS "value", count(*)::int AS "count"
        FROM ${from} WHERE ${value} IS NOT NULL GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT ${facetValues})`;
      const rows = await withinTime(
        client,
        client.$queryRaw<{ facet: string; value: string; count: number }[]>`
          WITH matched AS MATERIALIZED (
            SELECT r."model", r."sampler", r."tags", r."origin", r."kind", r."width", r."height"
            FROM "Asset" r WHERE ${where}
          )
          SELECT 'total' AS "facet", '' AS "value", count(*)::int AS "count" FROM matched
          UNION ALL ${facet('models', Prisma.sql`"model"`)}
          UNION ALL ${facet('samplers', Prisma.sql`"sampler"`)}
          UNION ALL ${facet('tags', Prisma.sql`"tag"`, Prisma.sql`matched, unnest("tags") AS "tag"`)}
          UNION ALL ${facet('origins', Prisma.sql`"origin"::text`)}
          UNION ALL ${facet('kinds', Prisma.sql`"kind"::text`)}
          UNION ALL ${facet('sizes', Prisma.sql`"width" || 'x' || "height"`)}`,
      );
      const of = (name: string) =>
        rows.filter(({ facet: own }) => own === name).map(({ value, count }) => ({ value, count }));
      const lists = Object.fromEntries(facetNames.map((name) => [name, of(name)]));
      return { total: of('total')[0]?.count ?? 0, ...lists } as AssetFacets;
    },
    async timeline(viewer, { projectId, filter, by, timeZone }) {
      refuse([...assetFilterProblems(filter, projectId), ...zoneProblems(timeZone)]);
      const { where } = assetList(viewer, projectId, filter);
      const unit = by.toLowerCase();
      const rows = await withinTime(
        client,
        client.$queryRaw<{ start: Date; count: number; newest: Date }[]>`
          SELECT date_trunc(${unit}, r."createdAt", ${timeZone}) AS "start", count(*)::int AS "count",
            max(r."createdAt") AS "newest"
          FROM "Asset" r WHERE ${where} GROUP BY 1 ORDER BY 1 DESC`,
      );
      const order = { field: 'createdAt', direction: 'DESC' } as const;
      return rows.map(({ start, count, newest }) => ({
        ...{ start, count },
        cursor: writeCursor(order, { createdAt: newest, id: lastId }),
      }));
    },
    async tags(viewer, { projectId, search, first }) {
      refuse([
        ...assetFilterProblems({}, projectId),
        ...textProblems(['search'], search, { min: 0, max: filterLength }),
        ...numberProblems(['first'], first, tagCounts),
      ]);
      const inProject =
        projectId === null
          ? Prisma.empty
          : Prisma.sql`AND r."projectId" = ${requireRowId('Project', projectId)}::uuid`;
      return withinTime(
        client,
        client.$queryRaw<{ tag: string; count: number }[]>`
          SELECT "tag", count(*)::int AS "count" FROM "Asset" r, unnest(r."tags") AS "tag"
          WHERE r."ownerId" = ${viewer.id}::uuid AND r."trashedAt" IS NULL ${inProject}
            AND starts_with(lower("tag"), lower(${search ?? ''}))
          GROUP BY "tag" ORDER BY 2 DESC, 1 LIMIT ${first}`,
      );
    },
  };
}

/** Greater than every id: its place is before the first row of its time, in a list that begins with the newest. */
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** As both `Intl` and PostgreSQL know it; offsets mean opposite things to them. */
function zoneProblems(timeZone: string) {
  const path = ['timeZone'];
  const expected = 'the name of a time zone, such as Europe/Berlin or UTC';
  try {
    if (!/^[A-Za-z][\w+-]*(\/[\w+-]+)*$/.test(timeZone)) throw new RangeError(timeZone);
    new Intl.DateTimeFormat('en', { timeZone });
    return [];
  } catch {
    return [{ path, expected, got: timeZone }];
  }
}

/** Milliseconds that one count may take. */
const longestCount = 500;

/** @throws DomainError QUERY_TOO_COMPLEX where it takes longer */
async function withinTime<Row>(
  client: PrismaClient,
  query: Prisma.PrismaPromise<Row>,
): Promise<Row> {
  const bound = client.$executeRaw`SELECT set_config('statement_timeout', ${String(longestCount)}, true)`;
  try {
    const [, rows] = await client.$transaction([bound, query]);
    return rows;
  } catch (cause) {
    if (!/57014|statement timeout/.test(String(cause))) throw cause;
    throw new DomainError(
      'QUERY_TOO_COMPLEX',
      `Expected a list that can be counted in ${longestCount} ms, but got a longer one: narrow the filter`,
      {},
    );
  }
}
