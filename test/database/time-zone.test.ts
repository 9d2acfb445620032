import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectClient, openDatabase } from '../../src/database/client.ts';
import { connectAlone } from '../../src/database/session.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await openTestDatabase();
});
afterEach(() => database.close());

async function query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const connection = new pg.Client(database.connection);
  await connection.connect();
  return connection
    .query<Row>(sql)
    .then(({ rows }) => rows)
    .finally(() => connection.end());
}

/** Half an hour off, and on the other side of the date line. */
const zones = ['America/St_Johns', 'Pacific/Kiritimati'];

describe.each(zones)('where the zone of the session is %s', (zone) => {
  test('times are stored and read unchanged, by the client and by SQL', async () => {
    // As a server, a database or a role may set it. The embedded database has one session for all connections.
    const { rows } = await setZone(zone);
    expect(rows).toEqual([{ TimeZone: zone }]);
    const { client, close } = connectClient(database.connection, database.kind);
    try {
      const at = new Date('2026-03-01T12:34:56.789Z');
      await client.user.create({ data: { name: 'ada', createdAt: at } });
      const user = await client.user.findUniqueOrThrow({ where: { name: 'ada' } });
      expect(user.createdAt).toEqual(at);
      expect(await client.user.count({ where: { createdAt: { lte: at } } })).toBe(1);
      // What the database itself takes it for, and what it says of its own clock.
      const [read] = await client.$queryRaw<{ seconds: number; now: Date; isOld: boolean }[]>`
        SELECT extract(epoch FROM "createdAt")::float8 AS seconds, now() AS now, "createdAt" <= ${at} AS "isOld"
        FROM "User" WHERE "name" = 'ada'`;
      expect(read?.seconds).toBe(at.getTime() / 1000);
      expect(read?.isOld).toBe(true);
      expect(Math.abs((read?.now.getTime() ?? 0) - Date.now())).toBeLessThan(600_000);
      // A default of the database's, read by the client.
      const local = await client.user.create({ data: { name: 'grace' } });
      expect(Math.abs(local.createdAt.getTime() - Date.now())).toBeLessThan(600_000);
    } finally {
      await close();
    }
  });

  test('times are read unchanged where dates have another style', async () => {
    const { database: databaseName, connectionString } = database.connection;
    const own = connectionString ? new URL(connectionString).pathname.slice(1) : databaseName;
    await query(`ALTER DATABASE "${own}" SET DateStyle TO 'SQL, DMY'`);
    if (database.kind === 'embedded') await query("SET DateStyle TO 'SQL, DMY'");
    const { client, close } = connectClient(database.connection, database.kind);
    try {
      const at = new Date('2026-03-01T12:34:56.789Z');
      await client.user.create({ data: { name: 'ada', createdAt: at } });
      const user = await client.user.findUniqueOrThrow({ where: { name: 'ada' } });
      expect(user.createdAt).toEqual(at);
    } finally {
      await close();
    }
  });

  test('a connection of its own, as migrations have one, reads times unchanged, too', async () => {
    if (database.kind === 'embedded') await query("SET DateStyle TO 'SQL, DMY'");
    await setZone(zone);
    const connection = await connectAlone(database.connection);
    try {
      const { rows } = await connection.query<{ now: Date }>('select clock_timestamp() as now');
      expect(Math.abs((rows[0]?.now.getTime() ?? 0) - Date.now())).toBeLessThan(600_000);
    } finally {
      await connection.end();
    }
  });

  async function setZone(name: string) {
    const { database: databaseName, connectionString } = database.connection;
    const own = connectionString ? new URL(connectionString).pathname.slice(1) : databaseName;
    await query(`ALTER DATABASE "${own}" SET timezone TO '${name}'`);
    const connection = new pg.Client(database.connection);
    await connection.connect();
    try {
      if (database.kind === 'embedded') await connection.query(`SET TIME ZONE '${name}'`);
      return await connection.query('SHOW TIME ZONE');
    } finally {
      await connection.end();
    }
  }
});

// The embedded database is always UTF8: only a server can hold a database of another encoding.
const server = process.env['TEST_DATABASE_URL'];

test.skipIf(!server)('a database with another encoding than UTF8 is refused', async () => {
  const name = `easel_latin_${process.pid}`;
  await query(
    `CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  );
  const url = new URL(server ?? '');
  url.pathname = `/${name}`;
  try {
    await expect(openDatabase({ dataDir: '', databaseUrl: url.href })).rejects.toThrow(
      /^Expected a database with the encoding UTF8 at .*, but its encoding is LATIN1: create it with /,
    );
  } finally {
    await query(`DROP DATABASE ${name}`);
  }
});
