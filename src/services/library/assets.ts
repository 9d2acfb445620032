import type { Asset, PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { refuse } from '../input/problems.ts';
import { rowIdOf, toGlobalId } from '../relay/global-id.ts';
import { type Connection, type PageArgs, pageProblems, writeCursor } from '../relay/pagination.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';
import { type ListOrder, relevanceProblems, sqlPage } from '../relay/sql-list.ts';
import { type AssetFilter, assetFilterProblems, assetList } from './asset-filter.ts';

export type AssetOrder = ListOrder;

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
  /** What an asset was made from, as far as it is still there. */
  parents(viewer: Viewer, asset: Asset): Promise<Asset[]>;
  /** Settings that were found in its file when it was uploaded. */
  embedded(asset: Asset): Promise<unknown>;
  /** What was made from it, newest first, those in the trash left out. */
  children(viewer: Viewer, asset: Asset, args: PageArgs): Promise<Connection<Asset>>;
  /** Its position in a list of this order. @throws BadInput for an order that depends on a search */
  cursor(asset: Asset, order: AssetOrder): string;
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
  /** By the generation that was made from it. */
  const loadSources = rowLoader<Asset[]>(async (ids) => {
    const rows = await client.generation.findMany({
      where: { id: { in: [...ids] } },
      select: { id: true, source: true, mask: true },
    });
    return new Map(
      rows.map(({ id, source, mask }) => [id, [source, mask].filter((one) => one !== null)]),
    );
  }, []);

  const loadEmbedded = rowLoader<unknown>(async (ids) => {
    const rows = await client.embeddedSettings.findMany({ where: { assetId: { in: [...ids] } } });
    return new Map(rows.map(({ assetId, settings }) => [assetId, settings]));
  }, null);

  const page: Assets['page'] = async (viewer, { projectId, filter, order, args }) => {
    refuse([
      ...pageProblems(args, order),
      ...assetFilterProblems(filter, projectId),
      ...relevanceProblems(order, filter.search),
    ]);
    return sqlPage<Asset>(client, assetList(viewer, projectId, filter), { order, args });
  };
  const load: Assets['load'] = async (viewer, rowId) => {
    const asset = await loadRow(rowId);
    return asset?.ownerId === viewer.id ? asset : null;
  };
  return {
    page,
    load,
    async find(viewer, globalId) {
      const id = rowIdOf('Asset', globalId);
      return id === null ? null : client.asset.findUnique({ where: { id, ownerId: viewer.id } });
    },
    async ofGeneration(viewer, generationRowId) {
      const images = await loadImages(generationRowId);
      return images.filter(({ ownerId }) => ownerId === viewer.id);
    },
    async parents(viewer, { generationId }) {
      const sources = generationId === null ? [] : await loadSources(generationId);
      return sources.filter(({ ownerId }) => ownerId === viewer.id);
    },
    embedded: ({ id, origin }) =>
      origin === 'UPLOADED' ? loadEmbedded(id) : Promise.resolve(null),
    children(viewer, { id }, args) {
      const filter = { derivedFrom: toGlobalId('Asset', id) };
      const order = { field: 'createdAt', direction: 'DESC' } as const;
      return page(viewer, { projectId: null, filter, order, args });
    },
    cursor(asset, order) {
      const { field, direction } = order;
      if (field === 'createdAt') return writeCursor({ field, direction }, asset);
      const expected = 'CREATED_AT: the place in an order by relevance depends on the search';
      refuse([{ path: ['orderBy', 'field'], expected, got: 'RELEVANCE' }]);
      return '';
    },
  };
}
