import type { Prisma } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';
import type { PlacedAsset } from '../event-log/assets.ts';

/** A row that is gone, and the file that is not yet. */
export type Deleted = PlacedAsset & { readonly storageKey: string };

/**
 * Deletes assets for good. What the event log tells of them stays numbered, and says nothing any more. Files are deleted
 * behind the commit, by `deleteFiles`; those that a crash leaves are found later by `startOrphanSweep`.
 */
export async function deleteAssetRows(
  tx: Prisma.TransactionClient,
  ownerId: string,
  ids: readonly string[],
): Promise<Deleted[]> {
  await tx.$executeRaw`
    UPDATE "Event" e SET "type" = ${forgotten}, "assetId" = NULL, "generationId" = NULL, "payload" = '{}'
    FROM "Asset" a
    WHERE a."id" = ANY(${[...ids]}::uuid[]) AND a."ownerId" = ${ownerId}::uuid
      AND e."ownerId" = a."ownerId" AND e."generationId" = a."generationId" AND e."assetId" = a."id"`;
  return tx.$queryRaw<Deleted[]>`
    DELETE FROM "Asset" WHERE "id" = ANY(${[...ids]}::uuid[]) AND "ownerId" = ${ownerId}::uuid
    RETURNING "id", "projectId", "storageKey"`;
}

/** The same of generations. Images that they still have stay, without one. */
export async function deleteGenerationRows(
  tx: Prisma.TransactionClient,
  ownerId: string,
  ids: readonly string[],
): Promise<void> {
  await tx.$executeRaw`
    UPDATE "Event" SET "type" = ${forgotten}, "assetId" = NULL, "generationId" = NULL, "payload" = '{}'
    WHERE "generationId" = ANY(${[...ids]}::uuid[]) AND "ownerId" = ${ownerId}::uuid`;
  await tx.generation.deleteMany({ where: { id: { in: [...ids] }, ownerId } });
}

/** An event that no program knows, and all pass over. */
const forgotten = 'Forgotten';

/** Originals and renditions. A file that cannot be deleted now is found later. */
export async function deleteFiles(storage: Storage, deleted: readonly Deleted[]): Promise<void> {
  for (const { id, storageKey } of deleted) {
    await storage.delete(storageKey).catch(later);
    for await (const { key } of storage.list(`renditions/${id}/`)) {
      await storage.delete(key).catch(later);
    }
  }
}

function later(): void {}
