import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { StartError } from '../errors.ts';
import { connectAlone } from './session.ts';
import { splitStatements } from './statements.ts';

type Migration = { readonly name: string; readonly sql: string; readonly checksum: string };

/** The advisory lock of `prisma migrate deploy`: of two that migrate at once, one waits. */
const lockNumber = 72707369;

/** As `prisma migrate deploy` makes it, so that either may be used after the other. */
const createTable = `
  create table if not exists "_prisma_migrations" (
    id varchar(36) primary key not null,
    checksum varchar(64) not null,
    finished_at timestamptz,
    migration_name varchar(255) not null,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz not null default now(),
    applied_steps_count integer not null default 0
  )`;

/**
 * Applies the migrations of `folder` (`<timestamp>_<name>/migration.sql`) that the database has not seen, in order,
 * each in one transaction: one that fails leaves the database as it was before it.
 *
 * @returns the names of those applied now.
 * @throws StartError
 */
export async function migrate(
  connection: pg.ClientConfig,
  folder: string,
  reached: (point: 'migrating') => Promise<void> = async () => {},
): Promise<string[]> {
  const migrations = readMigrations(folder);
  const client = await connectAlone(connection);
  try {
    await client.query('select pg_advisory_lock($1)', [lockNumber]);
    const waiting = await findWaiting(client, migrations);
    const applied: string[] = [];
    for (const migration of waiting) {
      if (await apply(client, migration, reached)) applied.push(migration.name);
    }
    return applied;
  } finally {
    // Embedded, all connections are one session, which would keep the lock.
    await client.query('select pg_advisory_unlock($1)', [lockNumber]).finally(() => client.end());
  }
}

function readMigrations(folder: string): Migration[] {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return names.map((name) => {
    const sql = readFileSync(join(folder, name, 'migration.sql'), 'utf8');
    return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

async function findWaiting(client: pg.Client, migrations: Migration[]): Promise<Migration[]> {
  await client.query(createTable).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(
      `Expected a database whose user may create tables, but got: ${why}; give it the schema: GRANT CREATE, USAGE ON SCHEMA public TO the user`,
      { cause },
    );
  });
  const { rows } = await client.query<{ name: string; checksum: string; finished: boolean }>(
    `select migration_name as name, checksum, finished_at is not null as finished
     from "_prisma_migrations" where rolled_back_at is null`,
  );
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of rows) {
    const migration = known.get(row.name);
    if (!row.finished) {
      throw new StartError(
        `Expected every migration of the database to have ended, but "${row.name}" was left half-way by another program: mend it with "prisma migrate resolve"`,
      );
    }
    if (migration === undefined) {
      throw new StartError(
        `Expected a database of this version of Easel, but it has had the migration "${row.name}", which this version does not know: start the newer version`,
      );
    }
    if (migration.checksum !== row.checksum) {
      throw new StartError(
        `Expected the migration "${row.name}" as it was applied, but its file has been changed since: put it back, and write the change as a new migration`,
      );
    }
  }
  const applied = new Set(rows.map((row) => row.name));
  return migrations.filter(({ name }) => !applied.has(name));
}

/** @returns false where another start was faster. */
async function apply(
  client: pg.Client,
  { name, sql, checksum }: Migration,
  reached: (point: 'migrating') => Promise<void>,
): Promise<boolean> {
  const statements = splitStatements(sql);
  await client.query('begin');
  try {
    // Embedded, the lock keeps nobody out (all connections are one session), but a transaction does.
    const { rowCount } = await client.query(
      'select 1 from "_prisma_migrations" where migration_name = $1 and rolled_back_at is null',
      [name],
    );
    if (rowCount !== 0) {
      await client.query('rollback');
      return false;
    }
    const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
    for (const [index, statement] of statements.entries()) {
      await client.query(statement).catch((cause: unknown) => {
        throw migrationFailed(name, { statement, number: index + 1, cause });
      });
    }
    await reached('migrating');
    await client.query(
      `insert into "_prisma_migrations"
         (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       values ($1, $2, $3, $4, clock_timestamp(), 1)`,
      [randomUUID(), checksum, name, rows[0]?.now],
    );
    await client.query('commit');
    return true;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** The database is as it was before this migration. */
function migrationFailed(
  migration: string,
  { statement, number, cause }: { statement: string; number: number; cause: unknown },
): StartError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StartError(
    `Expected the migration "${migration}" to apply, but its statement ${number} (${summary(statement)}) failed with: ${why}. The database is as it was before it`,
    { cause },
  );
}

/** The first words of a statement, without the comments before it. */
function summary(statement: string): string {
  const code = statement.replace(/^(\s*--[^\n]*\n|\s+)*/, '').replace(/\s+/g, ' ');
  return code.length > 60 ? `${code.slice(0, 60)}…` : code;
}
