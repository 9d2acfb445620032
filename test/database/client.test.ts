import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

async function owner() {
  return database.client.user.findUniqueOrThrow({ where: { name: 'local' } });
}

test('a new installation has one administrator, with a default project', async () => {
  const users = await database.client.user.findMany({ include: { projects: true } });
  expect(users.map((user) => [user.name, user.role])).toEqual([['local', 'ADMIN']]);
  expect(users[0]?.projects.map((project) => project.defaultOf)).toEqual([users[0]?.id]);
  const { client } = database;
  expect(await client.installation.findMany()).toMatchObject([{ id: 1, linkSecret: null }]);
});

test('transactions are isolated and atomic', async () => {
  const { client } = database;
  const { id: ownerId } = await owner();
  const count = () => client.project.count({ where: { ownerId, name: 'isolated' } });
  let seenBetween: Promise<number> | undefined;
  await client.$transaction(async (tx) => {
    await tx.project.create({ data: { ownerId, name: 'isolated' } });
    seenBetween = count();
    // Handed over before the transaction goes on, and answered after it: no half of it is seen.
    await tx.project.create({ data: { ownerId, name: 'isolated' } });
  });
  expect([0, 2]).toContain(await seenBetween);
  await expect(
    client.$transaction(async (tx) => {
      await tx.project.create({ data: { ownerId, name: 'isolated' } });
      throw new Error('changed my mind');
    }),
  ).rejects.toThrow('changed my mind');
  expect(await count()).toBe(2);
});

test('concurrent transactions lose no update, and concurrent queries stay outside of them', async () => {
  const { client } = database;
  const { id } = await owner();
  const raise = () =>
    client.$transaction(async (tx) => {
      const { eventCounter } = await tx.user.update({
        where: { id },
        data: { eventCounter: { increment: 1 } },
      });
      await tx.event.create({ data: { ownerId: id, number: eventCounter, type: 'Raised' } });
    });
  const wrong = () =>
    client.$queryRaw`select 1 / 0`.then(
      () => 'went through',
      () => 'refused',
    );
  const echo = async (value: number) => {
    const rows = await client.$queryRaw<{ value: number }[]>`select ${value}::int as value`;
    return rows[0]?.value === value;
  };
  const results = await Promise.all(
    Array.from({ length: 60 }, (_, i) => [raise, wrong, () => echo(i)][i % 3]?.()),
  );
  expect(results.filter((result) => result === false || result === 'went through')).toEqual([]);
  const events = await client.event.findMany({
    where: { ownerId: id },
    orderBy: { number: 'asc' },
  });
  expect(events.map((event) => Number(event.number))).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
});
