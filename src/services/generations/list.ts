import type {
  Generation,
  GenerationKind,
  GenerationStatus,
  Prisma,
  PrismaClient,
} from '../../generated/prisma/client.ts';
import { limits } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { numberProblems } from '../input/number.ts';
import { refuse } from '../input/problems.ts';
import { escapeLike, filterProblems } from '../input/text.ts';
import { idProblems, requireRowId } from '../relay/global-id.ts';
import { filterLength } from '../relay/limits.ts';
import {
  type Connection,
  type Order,
  type PageArgs,
  pageProblems,
  paginate,
} from '../relay/pagination.ts';
import { withoutSettings } from './find.ts';

export type GenerationFilter = {
  readonly status?: readonly GenerationStatus[] | null;
  readonly kind?: readonly GenerationKind[] | null;
  readonly model?: string | null;
  /** Words of the prompt. */
  readonly search?: string | null;
  readonly seed?: number | null;
  readonly clientReference?: string | null;
  readonly createdAfter?: Date | null;
  readonly createdBefore?: Date | null;
  readonly trashed?: boolean | null;
};
export type GenerationOrder = Order<'createdAt'>;

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
    ...idProblems('Project', projectId, ['projectId']),
    ...filterProblems(filter, ['search', 'model', 'clientReference'], filterLength),
    ...numberProblems(['filter', 'seed'], filter.seed, limits.seed),
  ]);
  const where = ownedBy(viewer, projectId, filter);
  return paginate<GenerationOrder['field'], Generation, Prisma.GenerationWhereInput>(args, {
    order,
    find: ({ where: place, orderBy, take }) =>
      withoutSettings(client, { where: { AND: [where, ...place] }, orderBy, take }),
    count: () => client.generation.count({ where }),
  });
}

function ownedBy(
  viewer: Viewer,
  projectId: string | null,
  filter: GenerationFilter,
): Prisma.GenerationWhereInput {
  const { status, kind, search, createdAfter, createdBefore } = filter;
  return {
    ownerId: viewer.id,
    ...(projectId === null ? {} : { projectId: requireRowId('Project', projectId) }),
    trashedAt: filter.trashed ? { not: null } : null,
    ...(status ? { status: { in: [...status] } } : {}),
    ...(kind ? { kind: { in: [...kind] } } : {}),
    ...(filter.model == null ? {} : { model: filter.model }),
    ...(filter.seed == null ? {} : { seed: filter.seed }),
    ...(filter.clientReference == null ? {} : { clientReference: filter.clientReference }),
    ...(search ? { prompt: { contains: escapeLike(search), mode: 'insensitive' } } : {}),
    createdAt: {
      ...(createdAfter ? { gt: createdAfter } : {}),
      ...(createdBefore ? { lt: createdBefore } : {}),
    },
  };
}
