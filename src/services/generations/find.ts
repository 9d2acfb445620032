import type { Generation, Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import type { GenerationSettings } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { NotFound, rowIdOf } from '../relay/global-id.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';
import { settingsOf } from './stored-settings.ts';

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
    async (ids) => byId(await withoutSettings(client, { where: { id: { in: [...ids] } } })),
    null,
  );
  return async (viewer: Viewer, rowId: string): Promise<Generation | null> => {
    const generation = await loadRow(rowId);
    return generation?.ownerId === viewer.id ? generation : null;
  };
}

/**
 * Rows with null as their `settings`: two prompts may have 16,000 characters, and most lists show none of them. They are read
 * with `createLoadSettings` where they are selected.
 */
export async function withoutSettings(
  client: PrismaClient | Prisma.TransactionClient,
  query: Pick<Prisma.GenerationFindManyArgs, 'where' | 'orderBy' | 'take'>,
): Promise<Generation[]> {
  const omit = { settings: true, prompt: true } as const;
  const rows = await client.generation.findMany({ ...query, omit });
  return rows.map((row) => ({ ...row, settings: null, prompt: '' }));
}

/** Of a row that its viewer was given before; many at once are one query. */
export function createLoadSettings(client: PrismaClient) {
  const load = rowLoader<GenerationSettings | null>(async (ids) => {
    const where = { id: { in: [...ids] } };
    const rows = await client.generation.findMany({ where, select: { id: true, settings: true } });
    return new Map(rows.map((row) => [row.id, settingsOf(row)]));
  }, null);
  return async (row: Generation): Promise<GenerationSettings | null> =>
    row.settings === null ? load(row.id) : settingsOf(row);
}
