import type {
  Generation,
  GenerationKind,
  GenerationStatus,
  PrismaClient,
} from '../../generated/prisma/client.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import { limits } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { numberProblems } from '../input/number.ts';
import { refuse } from '../input/problems.ts';
import { searchQuery } from '../input/search.ts';
import { filterProblems } from '../input/text.ts';
import { idProblems, requireRowId } from '../relay/global-id.ts';
import { filterLength } from '../relay/limits.ts';
import { type Connection, type PageArgs, pageProblems } from '../relay/pagination.ts';
import {
  allOf,
  type ListOrder,
  matches,
  relevanceProblems,
  type SqlList,
  sqlPage,
} from '../relay/sql-list.ts';

export type GenerationFilter = {
  readonly status?: readonly GenerationStatus[] | null;
  readonly kind?: readonly GenerationKind[] | null;
  readonly model?: string | null;
  /** See `searchQuery`; of the prompt. */
  readonly search?: string | null;
  readonly seed?: number | null;
  readonly clientReference?: string | null;
  readonly createdAfter?: Date | null;
  readonly createdBefore?: Date | null;
  readonly trashed?: boolean | null;
};
export type GenerationOrder = ListOrder;

export type GenerationList = {
  /** Global id; null for all that is the viewer's. */
  readonly projectId: string | null;
  readonly filter: GenerationFilter;
  readonly order: GenerationOrder;
  readonly args: PageArgs;
};

export function page(
  client: PrismaClient,
  viewer: Viewer,
  { projectId, filter, order, args }: GenerationList,
): Promise<Connection<Generation>> {
  refuse([
    ...pageProblems(args, order),
    ...relevanceProblems(order, filter.search),
    ...idProblems('Project', projectId, ['projectId']),
    ...filterProblems(filter, ['search', 'model', 'clientReference'], filterLength),
    ...numberProblems(['filter', 'seed'], filter.seed, limits.seed),
  ]);
  const list = generationList(viewer, projectId, filter);
  return withNothingLong(sqlPage<Generation>(client, list, { order, args }));
}

/** Two prompts may have 16,000 characters, and most lists show none of them: see `createLoadSettings`. */
async function withNothingLong(
  page: Promise<Connection<Generation>>,
): Promise<Connection<Generation>> {
  const { edges, nodes, ...rest } = await page;
  const short = (row: Generation): Generation => ({ ...row, settings: null, prompt: '' });
  return {
    ...rest,
    nodes: nodes.map(short),
    edges: edges.map(({ cursor, node }) => ({ cursor, node: short(node) })),
  };
}

const columns = [
  ...['id', 'ownerId', 'projectId', 'kind', 'status', 'model', 'sampler', 'seed', 'width'],
  ...['height', 'steps', 'count', 'priority', 'clientReference', 'idempotencyKey', 'inputSha256'],
  ...['apiKeyId', 'createdAt', 'startedAt', 'finishedAt', 'trashedAt', 'stage', 'finishedSteps'],
  ...['attempts', 'runnerId', 'leaseUntil', 'failureCode', 'failureMessage', 'provenance'],
  ...['timings', 'sourceId', 'maskId', 'strength', 'retryOfId'],
];

function generationList(
  viewer: Viewer,
  projectId: string | null,
  filter: GenerationFilter,
): SqlList {
  const { status, kind, search, model, seed, clientReference, createdAfter, createdBefore } =
    filter;
  const query = search ? searchQuery(search) : null;
  const where = allOf([
    Prisma.sql`r."ownerId" = ${viewer.id}::uuid`,
    projectId === null
      ? null
      : Prisma.sql`r."projectId" = ${requireRowId('Project', projectId)}::uuid`,
    filter.trashed ? Prisma.sql`r."trashedAt" IS NOT NULL` : Prisma.sql`r."trashedAt" IS NULL`,
    status ? Prisma.sql`r."status" = ANY(${[...status]}::text[]::"GenerationStatus"[])` : null,
    kind ? Prisma.sql`r."kind" = ANY(${[...kind]}::text[]::"GenerationKind"[])` : null,
    model == null ? null : Prisma.sql`r."model" = ${model}`,
    seed == null ? null : Prisma.sql`r."seed" = ${seed}::bigint`,
    clientReference == null ? null : Prisma.sql`r."clientReference" = ${clientReference}`,
    search ? matches(query) : null,
    createdAfter ? Prisma.sql`r."createdAt" > ${createdAfter}::timestamptz` : null,
    createdBefore ? Prisma.sql`r."createdAt" < ${createdBefore}::timestamptz` : null,
  ]);
  return { table: 'Generation', columns, where, query };
}
