import { DomainError } from '../../errors.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import { decodeCovering } from '../../images/decode.ts';
import type { SourceImage } from '../../inference/request.ts';
import { ObjectMissing, type Storage } from '../../storage/storage.ts';

/**
 * The pixels that image to image starts from, in the size of the images to make; null for text to image.
 * @throws DomainError NOT_FOUND where it was deleted meanwhile
 */
export async function sourceImageOf(
  { client, storage }: { client: PrismaClient; storage: Storage },
  { sourceId, strength, width, height }: Generation,
): Promise<SourceImage | null> {
  if (strength === null) return null;
  const asset = sourceId && (await client.asset.findUnique({ where: { id: sourceId } }));
  if (!asset) throw wasDeleted();
  try {
    const bytes = await storage.read(asset.storageKey);
    return { rgb: await decodeCovering(bytes, { width, height }), strength };
  } catch (error) {
    throw error instanceof ObjectMissing ? wasDeleted() : error;
  }
}

function wasDeleted(): DomainError {
  return new DomainError(
    'NOT_FOUND',
    'Expected the image that it starts from, but it was deleted for good',
  );
}
