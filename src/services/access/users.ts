import type { PrismaClient, User } from '../../generated/prisma/client.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';
import type { Viewer } from './viewer.ts';

export type Users = {
  /** By row id; null where there is none or the viewer may not see it: users see themselves, administrators all. */
  load(viewer: Viewer, rowId: string): Promise<User | null>;
};

export function createUsers({ client }: { client: PrismaClient }): Users {
  const loadRow = rowLoader<User | null>(
    async (ids) => byId(await client.user.findMany({ where: { id: { in: [...ids] } } })),
    null,
  );
  return {
    load: async (viewer, rowId) =>
      viewer.role === 'ADMIN' || rowId === viewer.id ? loadRow(rowId) : null,
  };
}
