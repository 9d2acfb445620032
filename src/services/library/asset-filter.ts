import type { Mismatch } from '../../errors.ts';
import {
  type AssetOrigin,
  type AssetRole,
  type GenerationKind,
  Prisma,
} from '../../generated/prisma/client.ts';
import { limits } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { numberProblems } from '../input/number.ts';
import { searchQuery } from '../input/search.ts';
import { filterProblems } from '../input/text.ts';
import { idProblems, requireRowId } from '../relay/global-id.ts';
import { filterLength } from '../relay/limits.ts';
import { allOf, matches, type SqlList } from '../relay/sql-list.ts';
import { filterTags, tagProblems } from './tags.ts';

export type AssetFilter = {
  readonly origin?: AssetOrigin | null;
  /** IMAGE where left out: lists contain no masks unless they ask for them. */
  readonly role?: AssetRole | null;
  readonly kind?: readonly GenerationKind[] | null;
  readonly favorite?: boolean | null;
  readonly tagsAll?: readonly string[] | null;
  readonly tagsAny?: readonly string[] | null;
  /** See `searchQuery`; of title, tags and prompt. */
  readonly search?: string | null;
  readonly seed?: number | null;
  readonly model?: string | null;
  readonly sampler?: string | null;
  /** Pixels; the ratio is width over height. */
  readonly minWidth?: number | null;
  readonly minHeight?: number | null;
  readonly minRatio?: number | null;
  readonly maxRatio?: number | null;
  /** Global id of an asset that they were made from. */
  readonly derivedFrom?: string | null;
  readonly createdAfter?: Date | null;
  readonly createdBefore?: Date | null;
  readonly trashed?: boolean | null;
};

/** Everything that is wrong with it. */
export function assetFilterProblems(filter: AssetFilter, projectId: string | null): Mismatch[] {
  const ratio = { min: 0, max: 1_000_000 };
  const side = { min: 0, max: 1_000_000 };
  return [
    ...idProblems('Project', projectId, ['projectId']),
    ...filterProblems(filter, ['search', 'model', 'sampler'], filterLength),
    ...numberProblems(['filter', 'seed'], filter.seed, limits.seed),
    ...tagProblems(['filter', 'tagsAll'], filter.tagsAll, filterTags),
    ...tagProblems(['filter', 'tagsAny'], filter.tagsAny, filterTags),
    ...numberProblems(['filter', 'minWidth'], filter.minWidth, side),
    ...numberProblems(['filter', 'minHeight'], filter.minHeight, side),
    ...numberProblems(['filter', 'minRatio'], filter.minRatio, ratio, { whole: false }),
    ...numberProblems(['filter', 'maxRatio'], filter.maxRatio, ratio, { whole: false }),
    ...idProblems('Asset', filter.derivedFrom, ['filter', 'derivedFrom']),
  ];
}

const columns = [
  ...['id', 'ownerId', 'projectId', 'generationId', 'index', 'origin', 'role', 'width', 'height'],
  ...['format', 'bytes', 'sha256', 'storageKey', 'placeholder', 'seed', 'title', 'tags'],
  ...['isFavorite', 'createdAt', 'trashedAt', 'kind', 'model', 'sampler'],
];

/** Assets of the viewer that pass a filter without problems. */
export function assetList(viewer: Viewer, projectId: string | null, filter: AssetFilter): SqlList {
  const { search, kind, minWidth, minHeight, minRatio, maxRatio } = filter;
  const query = search ? searchQuery(search) : null;
  const given = <Value>(
    value: Value | null | undefined,
    condition: (value: Value) => Prisma.Sql,
  ) => (value == null ? null : condition(value));
  const ratio = Prisma.sql`r."width"::float8 / r."height"`;
  const where = allOf([
    Prisma.sql`r."ownerId" = ${viewer.id}::uuid`,
    given(projectId, (id) => Prisma.sql`r."projectId" = ${requireRowId('Project', id)}::uuid`),
    filter.trashed ? Prisma.sql`r."trashedAt" IS NOT NULL` : Prisma.sql`r."trashedAt" IS NULL`,
    Prisma.sql`r."role" = ${filter.role ?? 'IMAGE'}::"AssetRole"`,
    given(filter.origin, (origin) => Prisma.sql`r."origin" = ${origin}::"AssetOrigin"`),
    given(kind, (kinds) => Prisma.sql`r."kind"::text = ANY(${[...kinds]}::text[])`),
    given(filter.favorite, (is) => Prisma.sql`r."isFavorite" = ${is}`),
    given(filter.tagsAll, (tags) => Prisma.sql`r."tags" @> ${[...tags]}::text[]`),
    given(filter.tagsAny, (tags) => Prisma.sql`r."tags" && ${[...tags]}::text[]`),
    given(filter.seed, (seed) => Prisma.sql`r."seed" = ${seed}::bigint`),
    given(filter.model, (model) => Prisma.sql`r."model" = ${model}`),
    given(filter.sampler, (sampler) => Prisma.sql`r."sampler" = ${sampler}`),
    given(minWidth, (pixels) => Prisma.sql`r."width" >= ${pixels}::int`),
    given(minHeight, (pixels) => Prisma.sql`r."height" >= ${pixels}::int`),
    given(minRatio, (least) => Prisma.sql`${ratio} >= ${least}::float8`),
    given(maxRatio, (most) => Prisma.sql`${ratio} <= ${most}::float8`),
    given(filter.derivedFrom, (id) => madeFrom(viewer, requireRowId('Asset', id))),
    given(filter.createdAfter, (time) => Prisma.sql`r."createdAt" > ${time}::timestamptz`),
    given(filter.createdBefore, (time) => Prisma.sql`r."createdAt" < ${time}::timestamptz`),
    search ? matches(query) : null,
  ]);
  return { table: 'Asset', columns, where, query };
}

function madeFrom(viewer: Viewer, assetId: string): Prisma.Sql {
  return Prisma.sql`r."generationId" IN (
    SELECT g."id" FROM "Generation" g WHERE (g."sourceId" = ${assetId}::uuid OR g."maskId" = ${assetId}::uuid) AND g."ownerId" = ${viewer.id}::uuid)`;
}
