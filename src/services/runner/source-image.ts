import { DomainError } from '../../errors.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import { decodeCovering, decodeMask } from '../../images/decode.ts';
import type { SourceImage } from '../../inference/request.ts';
import { ObjectMissing, type Storage } from '../../storage/storage.ts';

/**
 * The pixels that image to image starts from, in the size of the images to make; null for text to image.
 * @throws DomainError NOT_FOUND where it was deleted meanwhile
 */
export async function sourceImageOf(
  { client, storage }: { client: PrismaClient; storage: Storage },
  { kind, sourceId, maskId, strength, width, height }: Generation,
): Promise<SourceImage | null> {
  if (strength === null) return null;
  const size = { width, height };
  const fileOf = async (id: string | null) => {
    const asset = id && (await client.asset.findUnique({ where: { id } }));
    if (!asset) throw wasDeleted();
    return storage.read(asset.storageKey);
  };
  try {
    const rgb = await decodeCovering(await fileOf(sourceId), size);
    const mask = kind === 'INPAINT' ? await decodeMask(await fileOf(maskId), size) : null;
    return { rgb, strength, mask };
  } catch (error) {
    throw error instanceof ObjectMissing ? wasDeleted() : error;
  }
}

function wasDeleted(): DomainError {
  return new DomainError(
    'NOT_FOUND',
    'Expected the image that it starts from, and its mask, but one was deleted for good',
  );
}
