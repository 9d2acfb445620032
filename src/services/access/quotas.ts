import { DomainError } from '../../errors.ts';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';

/** What one user may have; null: no limit. */
export type Quotas = {
  /** Generations with the status QUEUED. */
  readonly maxQueued: number;
  /** Bytes of stored images, without renditions. */
  readonly maxStoredBytes: number | null;
  /** Images that are asked for in a day (UTC). */
  readonly maxImagesPerDay: number | null;
};

export type Used = {
  readonly queued: number;
  readonly storedBytes: number;
  readonly imagesToday: number;
};

/** What a user has used of its quotas. */
export async function usedOf(
  client: PrismaClient | Prisma.TransactionClient,
  ownerId: string,
): Promise<Used> {
  const [row] = await client.$queryRaw<Used[]>`
    SELECT
      (SELECT count(*)::int FROM "Generation" WHERE "ownerId" = ${ownerId}::uuid AND "status" = 'QUEUED') AS "queued",
      (SELECT coalesce(sum("bytes"), 0)::float8 FROM "Asset" WHERE "ownerId" = ${ownerId}::uuid) AS "storedBytes",
      (SELECT coalesce(sum("count"), 0)::int FROM "Generation" WHERE "ownerId" = ${ownerId}::uuid
        AND "createdAt" >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS "imagesToday"`;
  if (row === undefined) throw new Error('Expected one row of what is used');
  return row;
}

/**
 * Before a generation of `count` images is queued, in its transaction, with the owner's row locked.
 * @throws DomainError QUEUE_FULL, QUOTA_EXCEEDED
 */
export async function checkQuotas(
  tx: Prisma.TransactionClient,
  quotas: Quotas,
  { ownerId, count }: { ownerId: string; count: number },
): Promise<void> {
  const { maxQueued, maxStoredBytes, maxImagesPerDay } = quotas;
  if (maxStoredBytes === null && maxImagesPerDay === null) {
    // By far the commonest: counted by an index alone.
    const got = await tx.generation.count({ where: { ownerId, status: 'QUEUED' } });
    if (got >= maxQueued) throw queueFull(maxQueued);
    return;
  }
  const { queued, storedBytes, imagesToday } = await usedOf(tx, ownerId);
  if (queued >= maxQueued) throw queueFull(maxQueued);
  if (maxStoredBytes !== null && storedBytes >= maxStoredBytes) {
    throw used(`fewer than ${maxStoredBytes} stored bytes of yours`, storedBytes, maxStoredBytes);
  }
  if (maxImagesPerDay !== null && imagesToday + count > maxImagesPerDay) {
    const expected = `at most ${maxImagesPerDay} images of yours in a day (UTC)`;
    throw used(expected, imagesToday + count, maxImagesPerDay, secondsOfDayLeft());
  }
}

/**
 * Before an image that did not come from a generation is stored, with the owner's row locked.
 * @throws DomainError QUOTA_EXCEEDED
 */
export async function checkStored(
  tx: Prisma.TransactionClient,
  { maxStoredBytes: max }: Quotas,
  ownerId: string,
): Promise<void> {
  if (max === null) return;
  const { storedBytes } = await usedOf(tx, ownerId);
  if (storedBytes < max) return;
  throw used(`fewer than ${max} stored bytes of yours`, storedBytes, max);
}

function queueFull(max: number): DomainError {
  return new DomainError(
    'QUEUE_FULL',
    `Expected fewer than ${max} generations of yours to be waiting, but got ${max}: wait until one starts`,
    { max, got: max, retryAfter: 5 },
  );
}

function used(expected: string, got: number, max: number, retryAfter?: number): DomainError {
  const details = { max, got, ...(retryAfter === undefined ? {} : { retryAfter }) };
  return new DomainError('QUOTA_EXCEEDED', `Expected ${expected}, but got ${got}`, details);
}

function secondsOfDayLeft(): number {
  const day = 86_400;
  return day - (Math.floor(Date.now() / 1000) % day);
}
