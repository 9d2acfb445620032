import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Asset, Generation, Project } from '../generated/prisma/client.ts';
import type { Viewer } from '../services/access/viewer.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Services } from './context.ts';

/** Rows by their own ids: what is asked for in one turn is read in one go. */
export type Loaders = ReturnType<typeof createLoaders>;

/**
 * One set for all operations of a user: subscribers who are told of one event at the same time read its row
 * once. Nothing is kept between batches, so nobody sees an older row for it.
 */
export function loadersByUser(services: Omit<Services, 'installation'>) {
  const byUser = new LRUCache<string, Loaders>({ max: 1_000 });
  return (viewer: Viewer): Loaders => {
    const known = byUser.get(viewer.id);
    if (known) return known;
    const loaders = createLoaders(services, viewer);
    byUser.set(viewer.id, loaders);
    return loaders;
  };
}

function createLoaders(services: Omit<Services, 'installation'>, viewer: Viewer) {
  const { projects, generations, assets, nodes } = services;
  return {
    projects: batched<Project | null>((ids) => projects.byRowIds(viewer, ids)),
    generations: batched<Generation | null>((ids) => generations.byRowIds(viewer, ids)),
    assets: batched<Asset | null>((ids) => assets.byRowIds(viewer, ids)),
    imagesOf: batched<Asset[]>((ids) => assets.forGenerations(viewer, ids)),
    users: batched<object | null>((ids) =>
      nodes.nodes(
        viewer,
        ids.map((id) => toGlobalId('User', id)),
      ),
    ),
  };
}

/** Nothing is kept between batches: a subscription reads the row as it is at each of its events. */
function batched<Row>(load: (ids: readonly string[]) => Promise<Row[]>): DataLoader<string, Row> {
  return new DataLoader(
    async (ids) => {
      const distinct = [...new Set(ids)];
      const rows = await load(distinct);
      const byId = new Map(distinct.map((id, i) => [id, rows[i]!]));
      return ids.map((id) => byId.get(id)!);
    },
    { cache: false, maxBatchSize: 500 },
  );
}
