import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';
import { lockUser } from '../access/keys.ts';
import { deleteAssetRows, deleteFiles, deleteGenerationRows } from '../generations/deletion.ts';

/** Rows that one transaction deletes. */
const atOnce = 500;

/** What has been in the trash since before a time, of all users. Gives how many assets there were. */
export async function emptyTrash(
  { client, storage }: { client: PrismaClient; storage: Storage },
  before: Date,
): Promise<number> {
  let count = 0;
  for (;;) {
    const where = { trashedAt: { lt: before } };
    const rows = await client.asset.findMany({
      ...{ where, take: atOnce, select: { id: true, ownerId: true } },
    });
    if (rows.length === 0) break;
    const owners = new Set(rows.map(({ ownerId }) => ownerId));
    for (const ownerId of owners) {
      const asked = rows.filter((row) => row.ownerId === ownerId).map(({ id }) => id);
      const deleted = await client.$transaction(async (tx) => {
        await lockUser(tx, ownerId); // Some may be restored at this moment.
        const still = await tx.asset.findMany({
          ...{ where: { id: { in: asked }, ...where }, select: { id: true } },
        });
        return deleteAssetRows(
          tx,
          ownerId,
          still.map(({ id }) => id),
        );
      });
      await deleteFiles(storage, deleted);
    }
    count += rows.length;
  }
  for (;;) {
    const rows = await client.generation.findMany({
      where: { trashedAt: { lt: before }, images: { none: { trashedAt: { not: null } } } },
      ...{ take: atOnce, select: { id: true, ownerId: true } },
    });
    if (rows.length === 0) break;
    for (const { id, ownerId } of rows) {
      await client.$transaction((tx) => deleteGenerationRows(tx, ownerId, [id]));
    }
  }
  await client.project.deleteMany({
    where: { trashedAt: { lt: before }, assets: { none: {} }, generations: { none: {} } },
  });
  return count;
}
