import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { append, canResume, readSince } from '../../src/events/log.ts';
import { clearOldEvents, startRetention } from '../../src/events/retention.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

describe('the retention of the event log', () => {
  let database: TestDatabase;
  let ownerId: string;

  beforeAll(async () => {
    database = await openTestDatabase();
    ownerId = (await database.client.user.findFirstOrThrow()).id;
    const ids = { ownerId, projectId: randomUUID(), generationId: randomUUID() };
    for (let i = 0; i < 4; i++) {
      await database.client.$transaction((tx) => append(tx, { ...ids, type: 'GenerationQueued' }));
    }
    const twoDaysAgo = new Date(Date.now() - 172_800_000);
    await database.client.event.updateMany({
      where: { number: { lte: 2 } },
      data: { createdAt: twoDaysAgo },
    });
  });

  afterAll(() => database.close());

  it('clears away what is older, keeps what is not, and a reader notices', async () => {
    const { client } = database;
    expect(await canResume(client, ownerId, 0)).toBe(true);
    const retention = startRetention({
      client,
      keepSeconds: 86_400,
      onError: (error) => expect.unreachable(String(error)),
    });
    await retention.stop();
    const kept = await readSince(client, ownerId, 0, { filter: {}, limit: 10 });
    expect(kept.map((event) => Number(event.number))).toEqual([3, 4]);
    expect(await canResume(client, ownerId, 0)).toBe(false);
    expect(await canResume(client, ownerId, 2)).toBe(true);
    expect(await clearOldEvents(client, 86_400)).toBe(0);
  });
});
