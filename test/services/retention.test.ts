import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { append, readPage } from '../../src/services/event-log/log.ts';
import {
  clearEventsBeyond,
  clearOldEvents,
  startRetention,
} from '../../src/services/maintenance/retention.ts';
import { emptyTrash } from '../../src/services/maintenance/trash.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

/** Files that were deleted. */
const deletedFiles: string[] = [];
const storage = {
  delete: async (key: string) => void deletedFiles.push(key),
  async *list() {},
} as unknown as Storage;

const day = 86_400;
let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

/** A log of `ages`, in days, oldest number first. */
async function logOf(ages: readonly number[]): Promise<{ ownerId: string; generationId: string }> {
  const { client } = database;
  const { id: ownerId } = await client.user.create({ data: { name: randomUUID() } });
  const ids = { ownerId, projectId: randomUUID(), generationId: randomUUID() };
  for (const age of ages) {
    const [number = 0] = await client.$transaction((tx) =>
      append(tx, ownerId, [{ ...ids, type: 'GenerationQueued' }]),
    );
    await client.event.update({
      where: { ownerId_number: { ownerId, number } },
      data: { createdAt: new Date(Date.now() - age * day * 1000) },
    });
  }
  return ids;
}

/** Undefined where some are gone. */
async function numbersFrom(after: number, ownerId: string, filter = {}) {
  const page = await readPage(database.client, ownerId, { after, upTo: 4, filter, limit: 10 });
  return page?.events.map(({ number }) => Number(number));
}

describe('the retention of the event log', () => {
  it('deletes older events, keeps the others, and readers notice', async () => {
    const { client } = database;
    const { ownerId, generationId } = await logOf([3, 2, 0, 0]);
    expect(await numbersFrom(0, ownerId)).toEqual([1, 2, 3, 4]);
    const retention = startRetention({
      client,
      keepSeconds: day,
      keepEvents: 1_000_000,
      ...{ storage, keepTrashDays: 30 },
      keepAuditDays: 365,
      onError: (error) => expect.unreachable(String(error)),
    });
    await retention.stop();
    expect(await numbersFrom(2, ownerId)).toEqual([3, 4]);
    expect(await numbersFrom(4, ownerId)).toEqual([]);
    for (const filter of [{}, { generationId }, { generationId: randomUUID() }]) {
      expect(await numbersFrom(1, ownerId, filter)).toBeUndefined();
    }
    expect(await clearOldEvents(client, day)).toBe(0);
  });

  it('keeps the newest of an owner with more than may be kept, and all of others', async () => {
    const [many, few] = [await logOf([0, 0, 0, 0]), await logOf([0, 0])];
    await clearEventsBeyond(database.client, 2);
    expect(await numbersFrom(2, many.ownerId)).toEqual([3, 4]);
    expect(await numbersFrom(1, many.ownerId)).toBeUndefined();
    expect(await numbersFrom(0, few.ownerId)).toEqual([1, 2]);
  });

  it('leaves no gap where an event has a later time than the next one', async () => {
    const { ownerId } = await logOf([2, 0, 2, 0]);
    expect(await clearOldEvents(database.client, day)).toBe(3);
    expect(await numbersFrom(3, ownerId)).toEqual([4]);
    expect(await numbersFrom(1, ownerId)).toBeUndefined();
  });
});

describe('the trash', () => {
  it('is emptied of what is in it for long: files, images, generations, projects', async () => {
    const { client } = database;
    const { id: ownerId } = await client.user.create({ data: { name: randomUUID() } });
    const old = { trashedAt: new Date(Date.now() - 31 * day * 1000) };
    const project = await client.project.create({ data: { ownerId, name: 'old', ...old } });
    const kept = await client.project.create({ data: { ownerId, name: 'kept' } });
    const asset = (projectId: string, storageKey: string, trashedAt: Date | null) =>
      client.asset.create({
        data: {
          ...{ ownerId, projectId, storageKey, trashedAt, width: 1, height: 1, format: 'PNG' },
          ...{ bytes: 1, sha256: '', placeholder: '' },
        },
      });
    await asset(project.id, 'old', old.trashedAt);
    await asset(kept.id, 'recent', new Date());
    await asset(kept.id, 'in use', null);
    expect(await emptyTrash({ client, storage }, new Date(Date.now() - 30 * day * 1000))).toBe(1);
    expect(deletedFiles).toEqual(['old']);
    const left = await client.asset.findMany({ where: { ownerId }, orderBy: { createdAt: 'asc' } });
    expect(left.map(({ storageKey }) => storageKey)).toEqual(['recent', 'in use']);
    expect(await client.project.findMany({ where: { ownerId } })).toMatchObject([{ name: 'kept' }]);
  });
});
