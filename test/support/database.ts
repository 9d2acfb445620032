import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Database, openDatabase } from '../../src/database/client.ts';

export type TestDatabase = Database & { readonly dataDir: string };

/**
 * A migrated database of the test's own, with an installation's first rows, opened as the program opens its
 * own. Embedded; where `TEST_DATABASE_URL` names a PostgreSQL server, a fresh database there.
 */
export async function openTestDatabase(): Promise<TestDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'easel-test-'));
  const server = process.env['TEST_DATABASE_URL'];
  const { url, drop } = server ? await createDatabase(server) : { url: undefined, drop: noDrop };
  if (url === undefined) await copyDataFolder(dataDir);
  const database = await openDatabase({ dataDir, databaseUrl: url });
  return {
    ...database,
    dataDir,
    async close() {
      await database.close();
      await drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Puts a data folder with a migrated database into `folder`. */
export async function copyDataFolder(folder: string): Promise<void> {
  await cp(await template(), folder, { recursive: true });
}

const noDrop = async () => {};

async function createDatabase(server: string) {
  const name = `easel_test_${randomUUID().replaceAll('-', '')}`;
  const run = async (sql: string) => {
    const admin = new pg.Client({ connectionString: server });
    await admin.connect();
    await admin.query(sql).finally(() => admin.end());
  };
  await run(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`drop database ${name} with (force)`) };
}

/**
 * A data folder with a migrated database in it, made once for each version of it: to make one takes
 * seconds, to copy it a tenth of one.
 */
async function template(): Promise<string> {
  const folder = new URL('../../dist/test-database/', import.meta.url).pathname;
  const ready = join(folder, version());
  if (existsSync(ready)) return ready;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, 'draft-'));
  await (await openDatabase({ dataDir: draft })).close();
  await rename(draft, ready).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(draft, { recursive: true }); // another test file was faster
  });
  return ready;
}

function version(): string {
  const migrations = new URL('../../prisma/migrations/', import.meta.url);
  const lock = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
  const hash = createHash('sha256').update(
    /node_modules\/@electric-sql\/pglite": \{\s*"version": "([^"]+)"/.exec(lock)?.[1] ?? '',
  );
  for (const entry of readdirSync(migrations, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex').slice(0, 16);
}
