import type { Mismatch } from '../../errors.ts';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { idProblems, rowIdOf } from '../relay/global-id.ts';

/** What image to image starts from. */
export type ImageInput = {
  /** Global id of an asset. */
  readonly assetId: string;
  /** Global id of an asset: repainted where that is white. */
  readonly maskAssetId?: string | null;
  /** Above 0, at most 1: the part of the steps that is taken. */
  readonly strength: number;
};

/** Of the image by itself; whether it is there is found out with `sourceOf`. */
export function imageProblems(
  image: ImageInput | null | undefined,
  steps: number | null | undefined,
): Mismatch[] {
  if (image == null) return [];
  const { assetId, maskAssetId, strength } = image;
  const path = ['settings', 'image'];
  // As the engine counts: with fewer steps than that none would be taken.
  const min = steps == null || steps < 1 ? 0.01 : Math.ceil(1000 / steps) / 1000;
  const fits = Number.isFinite(strength) && strength >= min && strength <= 1;
  const hint = steps == null ? '' : ` with ${steps} steps, so that at least one is taken`;
  const expected = `a number from ${min} to 1${hint}`;
  return [
    ...idProblems('Asset', assetId, [...path, 'assetId']),
    ...idProblems('Asset', maskAssetId, [...path, 'maskAssetId']),
    ...(fits ? [] : [{ path: [...path, 'strength'], expected, got: strength, min, max: 1 }]),
  ];
}

/** Row id of the image, or of its mask, or what is wrong with it: it must be the viewer's, and not in the trash. */
export async function sourceOf(
  client: PrismaClient | Prisma.TransactionClient,
  viewer: Viewer,
  { name, globalId }: { name: 'assetId' | 'maskAssetId'; globalId: string },
): Promise<{ id: string } | Mismatch> {
  const id = rowIdOf('Asset', globalId);
  const where = { id: id ?? '', ownerId: viewer.id, trashedAt: null };
  const found = id === null ? null : await client.asset.findUnique({ where, select: { id: true } });
  if (found !== null) return found;
  const path = ['settings', 'image', name];
  return { path, code: 'NOT_FOUND', expected: 'the id of an asset', got: globalId };
}
