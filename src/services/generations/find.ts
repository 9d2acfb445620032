import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { NotFound, rowIdOf } from '../relay/global-id.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';

/** Null where it does not exist or is not the viewer's. */
export async function find(
  client: PrismaClient,
  viewer: Viewer,
  globalId: string,
): Promise<Generation | null> {
  const id = rowIdOf('Generation', globalId);
  return id === null ? null : client.generation.findUnique({ where: { id, ownerId: viewer.id } });
}

/** @throws NotFound */
export async function mustFind(
  client: PrismaClient,
  viewer: Viewer,
  globalId: string,
): Promise<Generation> {
  const row = await find(client, viewer, globalId);
  if (row === null) throw new NotFound('a generation', globalId, ['id']);
  return row;
}

/** By row id; null where there is none or it is not the viewer's. */
export function createLoad(client: PrismaClient) {
  const loadRow = rowLoader<Generation | null>(
    async (ids) => byId(await client.generation.findMany({ where: { id: { in: [...ids] } } })),
    null,
  );
  return async (viewer: Viewer, rowId: string): Promise<Generation | null> => {
    const generation = await loadRow(rowId);
    return generation?.ownerId === viewer.id ? generation : null;
  };
}
