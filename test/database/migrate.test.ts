import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { schemaDiff } from '../../src/database/schema-diff.ts';
import { splitStatements } from '../../src/database/statements.ts';
import { settingsOf } from '../../src/services/generations/stored-settings.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

const prisma = fileURLToPath(new URL('../../prisma', import.meta.url));
let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'easel-migrations-'));
  cpSync(join(prisma, 'migrations'), folder, { recursive: true });
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await query('delete from "_prisma_migrations" where migration_name like \'2999%\'');
});

function write(name: string, sql: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

async function query(sql: string) {
  const client = new pg.Client(database.connection);
  await client.connect();
  const { rows } = await client.query(sql).finally(() => client.end());
  return rows;
}

test('the migrations lead to the Prisma schema, and a field that none of them adds is found', async () => {
  const schema = readFileSync(join(prisma, 'schema.prisma'), 'utf8');
  expect(await schemaDiff(database.connection, schema)).toBe('');
  const changed = `${schema}\nmodel Extra {\n  id Int @id\n}\n`;
  expect(await schemaDiff(database.connection, changed)).toContain('CREATE TABLE "Extra"');
});

test('pending migrations are applied once, in order, and recorded as Prisma does', async () => {
  const sql = 'create table later (id int);\ninsert into later values (1);\n';
  write('29990101000000_b', 'insert into later values (2);');
  write('29990101000000_a', sql);
  expect(await migrate(database.connection, folder)).toEqual([
    '29990101000000_a',
    '29990101000000_b',
  ]);
  expect(await migrate(database.connection, folder)).toEqual([]);
  expect(await query('select id from later order by id')).toEqual([{ id: 1 }, { id: 2 }]);
  const [row] = await query(
    `select * from "_prisma_migrations" where migration_name like '2999%a'`,
  );
  expect(row).toMatchObject({
    checksum: createHash('sha256').update(sql).digest('hex'),
    logs: null,
    rolled_back_at: null,
    applied_steps_count: 1,
  });
  expect(row.finished_at.getTime()).toBeGreaterThanOrEqual(row.started_at.getTime());
  await query('drop table later');
});

test('two starts at once apply a migration once', async () => {
  write('29990102000000_once', 'create table once (id int);');
  const both = await Promise.all([
    migrate(database.connection, folder),
    migrate(database.connection, folder),
  ]);
  expect(both.flat()).toEqual(['29990102000000_once']);
  await query('drop table once');
});

test('a broken migration leaves the database as it was, and says which statement failed', async () => {
  write(
    '29990103000000_broken',
    '-- First a table; then one that is not there.\ncreate table half (id int);\nalter table nowhere add column x int;\n',
  );
  await expect(migrate(database.connection, folder)).rejects.toThrow(
    'Expected the migration "29990103000000_broken" to apply, but its statement 2 (alter table nowhere add column x int) failed with: relation "nowhere" does not exist. The database is as it was before it',
  );
  expect(await query(`select to_regclass('half') as half`)).toEqual([{ half: null }]);
  expect(
    await query(`select 1 from "_prisma_migrations" where migration_name like '2999%'`),
  ).toEqual([]);
  write('29990103000000_broken', 'create table half (id int);');
  expect(await migrate(database.connection, folder)).toEqual(['29990103000000_broken']);
  await query('drop table half');
});

test('a migration that was changed after it was applied is refused', async () => {
  write('29990104000000_changed', 'select 1;');
  await migrate(database.connection, folder);
  write('29990104000000_changed', 'select 2;');
  await expect(migrate(database.connection, folder)).rejects.toThrow(
    'Expected the migration "29990104000000_changed" as it was applied, but its file has been changed since',
  );
});

test('a database that a newer version has migrated is refused', async () => {
  write('29990105000000_newer', 'select 1;');
  await migrate(database.connection, folder);
  rmSync(join(folder, '29990105000000_newer'), { recursive: true });
  await expect(migrate(database.connection, folder)).rejects.toThrow(
    'it has had the migration "29990105000000_newer", which this version does not know',
  );
});

test('statements end at their semicolons, not at those in texts, names, bodies and comments', () => {
  const statements = [
    `insert into t values ('a;''b', E'it\\'s;', "odd;name")`,
    'create function f() returns int as $body$ begin; return $1; end; $body$ language plpgsql',
    'select $1::int /* one; /* two; */ three; */ , 2 -- four;\n + 1',
  ];
  expect(splitStatements(`-- only a comment;\n;${statements.join(';\n')};\n-- the end;`)).toEqual(
    statements,
  );
});

test('generations of an earlier version keep their settings and their progress', async () => {
  const migrations = readdirSync(join(prisma, 'migrations')).filter((name) => /^\d/.test(name));
  const sqlOf = (name: string) =>
    readFileSync(join(prisma, 'migrations', name, 'migration.sql'), 'utf8');
  const [first, ...later] = migrations.sort();
  const client = new pg.Client(database.connection);
  await client.connect();
  try {
    // A schema of its own, as the first version left it.
    await client.query('create schema earlier; set search_path to earlier');
    await client.query(sqlOf(first!));
    await client.query(`
      insert into "User" ("id", "name") values ('${id(1)}', 'ada');
      insert into "Project" ("id", "ownerId", "name") values ('${id(2)}', '${id(1)}', 'Default');
      insert into "Generation" ("id", "ownerId", "projectId", "prompt", "negativePrompt", "cleanCaption",
        "model", "width", "height", "exactSize", "steps", "guidanceScale", "guidanceStart", "guidanceEnd",
        "sampler", "seed", "count")
      values ('${id(3)}', '${id(1)}', '${id(2)}', 'a boat', 'rain', false, 'tiny', 64, 96, true, 4, 4.5, 0.1, 0.9,
        'DPMPP_2M', 9007199254740991, 2);
      insert into "Asset" ("id", "ownerId", "projectId", "generationId", "index", "width", "height", "format",
        "bytes", "sha256", "storageKey", "placeholder")
      values ('${id(4)}', '${id(1)}', '${id(2)}', '${id(3)}', 0, 64, 96, 'PNG', 1, '', 'key', '')`);
    for (const name of later) await client.query(sqlOf(name));
    const { rows } = await client.query('select * from "Generation"');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ prompt: 'a boat', seed: '9007199254740991', finishedSteps: 4 });
    expect(settingsOf(rows[0])).toEqual({
      prompt: 'a boat',
      negativePrompt: 'rain',
      cleanCaption: false,
      model: 'tiny',
      width: 64,
      height: 96,
      exactSize: true,
      steps: 4,
      guidanceScale: 4.5,
      guidanceStart: 0.1,
      guidanceEnd: 0.9,
      promptWeighting: false,
      perturbedAttentionScale: 0,
      sampler: 'DPMPP_2M',
      seed: 9_007_199_254_740_991,
      count: 2,
    });
  } finally {
    await client.query('set search_path to public; drop schema if exists earlier cascade');
    await client.end();
  }
});

function id(n: number): string {
  return `00000000-0000-4000-8000-00000000000${n}`;
}
