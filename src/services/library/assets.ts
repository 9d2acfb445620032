import type {
  Asset,
  AssetOrigin,
  AssetRole,
  GenerationKind,
  Prisma,
  PrismaClient,
} from '../../generated/prisma/client.ts';
import { limits } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { numberProblems } from '../input/number.ts';
import { refuse } from '../input/problems.ts';
import { escapeLike, filterProblems } from '../input/text.ts';
import { idProblems, requireRowId, rowIdOf } from '../relay/global-id.ts';
import { filterLength } from '../relay/limits.ts';
import {
  type Connection,
  type Order,
  type PageArgs,
  pageProblems,
  paginate,
} from '../relay/pagination.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';

export type AssetFilter = {
  readonly origin?: AssetOrigin | null;
  /** IMAGE where left out: lists contain no masks unless they ask for them. */
  readonly role?: AssetRole | null;
  readonly kind?: readonly GenerationKind[] | null;
  /** Words of the title or of the prompt. */
  readonly search?: string | null;
  readonly seed?: number | null;
  readonly model?: string | null;
  readonly sampler?: string | null;
  readonly createdAfter?: Date | null;
  readonly createdBefore?: Date | null;
  readonly trashed?: boolean | null;
};
export type AssetOrder = Order<'createdAt'>;

export type Assets = {
  /** Null where it does not exist or is not the viewer's. */
  find(viewer: Viewer, globalId: string): Promise<Asset | null>;
  /** `projectId`: a global id, or null for all that is the viewer's. */
  page(
    viewer: Viewer,
    list: { projectId: string | null; filter: AssetFilter; order: AssetOrder; args: PageArgs },
  ): Promise<Connection<Asset>>;
  /** By row id; null where there is none or it is not the viewer's. */
  load(viewer: Viewer, rowId: string): Promise<Asset | null>;
  /** The finished images of a generation, by index. */
  ofGeneration(viewer: Viewer, generationRowId: string): Promise<Asset[]>;
};

export function createAssets({ client }: { client: PrismaClient }): Assets {
  const loadRow = rowLoader<Asset | null>(
    async (ids) => byId(await client.asset.findMany({ where: { id: { in: [...ids] } } })),
    null,
  );
  const loadImages = rowLoader<Asset[]>(async (ids) => {
    const rows = await client.asset.findMany({
      where: { generationId: { in: [...ids] } },
      orderBy: { index: 'asc' },
    });
    const images = new Map<string, Asset[]>(ids.map((id) => [id, []]));
    for (const row of rows) images.get(row.generationId ?? '')?.push(row);
    return images;
  }, []);
  return {
    async find(viewer, globalId) {
      const id = rowIdOf('Asset', globalId);
      return id === null ? null : client.asset.findUnique({ where: { id, ownerId: viewer.id } });
    },
    async page(viewer, { projectId, filter, order, args }) {
      refuse([
        ...pageProblems(args, order),
        ...idProblems('Project', projectId, ['projectId']),
        ...filterProblems(filter, ['search', 'model', 'sampler'], filterLength),
        ...numberProblems(['filter', 'seed'], filter.seed, limits.seed),
      ]);
      const where = ownedBy(viewer, projectId, filter);
      return paginate<AssetOrder['field'], Asset, Prisma.AssetWhereInput>(args, {
        order,
        find: ({ where: place, orderBy, take }) =>
          client.asset.findMany({ where: { AND: [where, ...place] }, orderBy, take }),
        count: () => client.asset.count({ where }),
      });
    },
    async load(viewer, rowId) {
      const asset = await loadRow(rowId);
      return asset?.ownerId === viewer.id ? asset : null;
    },
    async ofGeneration(viewer, generationRowId) {
      const images = await loadImages(generationRowId);
      return images.filter(({ ownerId }) => ownerId === viewer.id);
    },
  };
}

function ownedBy(
  viewer: Viewer,
  projectId: string | null,
  filter: AssetFilter,
): Prisma.AssetWhereInput {
  const { search, createdAfter, createdBefore } = filter;
  const words = { contains: escapeLike(search ?? ''), mode: 'insensitive' as const };
  return {
    ownerId: viewer.id,
    ...(projectId === null ? {} : { projectId: requireRowId('Project', projectId) }),
    trashedAt: filter.trashed ? { not: null } : null,
    role: filter.role ?? 'IMAGE',
    ...(filter.origin ? { origin: filter.origin } : {}),
    ...(filter.seed == null ? {} : { seed: filter.seed }),
    createdAt: {
      ...(createdAfter ? { gt: createdAfter } : {}),
      ...(createdBefore ? { lt: createdBefore } : {}),
    },
    generation: madeWith(filter),
    ...(search ? { OR: [{ title: words }, { generation: { prompt: words } }] } : {}),
  };
}

/** Undefined where the filter has no such condition: assets without a generation (uploads) pass then. */
function madeWith({ kind, model, sampler }: AssetFilter): Prisma.GenerationWhereInput | undefined {
  if (!kind && model == null && sampler == null) return undefined;
  return {
    ...(kind ? { kind: { in: [...kind] } } : {}),
    ...(model == null ? {} : { model }),
    ...(sampler == null ? {} : { sampler }),
  };
}
