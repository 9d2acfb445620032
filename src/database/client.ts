import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { StartError } from '../errors.ts';
import { PrismaClient } from '../generated/prisma/client.ts';
import { keepPrivate } from './data-folder.ts';
import { type DatabaseWatcher, openEmbedded } from './embedded.ts';
import { ensureInstallation } from './installation.ts';
import { migrate } from './migrate.ts';

/** An open, migrated database. Inside `client.$transaction(async (tx) => …)` only `tx` is used. */
export type Database = {
  readonly kind: 'embedded' | 'server';
  readonly client: PrismaClient;
  /** How the `pg` driver reaches it. */
  readonly connection: pg.PoolConfig;
  close(): Promise<void>;
};

export type DatabaseConfig = DatabaseWatcher & {
  /** The data folder; the embedded database lies in it. */
  readonly dataDir: string;
  /** A PostgreSQL server's URL; without one the embedded database is used. */
  readonly databaseUrl?: string | undefined;
  /** Called in the middle of a migration; a test may end the process there. */
  readonly reached?: Reached;
};

type Reached = (point: 'migrating') => Promise<void>;

const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/**
 * Opens the database that the configuration names, migrates it, and creates the rows of a new installation.
 *
 * @throws StartError with one sentence: server unreachable, data folder in use, disk full, a
 * migration that fails …
 */
export async function openDatabase(config: DatabaseConfig): Promise<Database> {
  const reached = config.reached ?? (async () => {});
  if (config.databaseUrl) {
    keepPrivate(config.dataDir);
    return openServer(config.databaseUrl, reached);
  }
  const embedded = await openEmbedded(config.dataDir, config);
  return open('embedded', embedded, reached);
}

async function openServer(url: string, reached: Reached): Promise<Database> {
  const connection = { connectionString: url, max: 10, connectionTimeoutMillis: 10_000 };
  const probe = new pg.Client(connection);
  try {
    await probe.connect();
  } catch (cause) {
    throw new StartError(
      `Expected a PostgreSQL server at ${withoutPassword(url)}, but got: ${reason(cause)}`,
      { cause },
    );
  }
  await checkEncoding(probe, url).finally(() => probe.end());
  return open('server', { connection, close: async () => {} }, reached);
}

/** In any other encoding a prompt with a letter that it lacks could not be stored. @throws StartError */
async function checkEncoding(probe: pg.Client, url: string): Promise<void> {
  const { rows } = await probe.query<{ server_encoding: string }>('show server_encoding');
  const encoding = rows[0]?.server_encoding;
  if (encoding === 'UTF8') return;
  throw new StartError(
    `Expected a database with the encoding UTF8 at ${withoutPassword(url)}, but its encoding is ${encoding}: create it with ENCODING 'UTF8' TEMPLATE template0`,
  );
}

async function open(
  kind: Database['kind'],
  { connection, close: closeServer }: { connection: pg.PoolConfig; close(): Promise<void> },
  reached: Reached,
): Promise<Database> {
  const { client, close: disconnect } = connectClient(connection);
  const close = async () => {
    await disconnect();
    await closeServer();
  };
  try {
    await migrate(connection, migrationsFolder, reached);
    await ensureInstallation(client);
  } catch (error) {
    await close();
    throw error;
  }
  return { kind, client, connection, close };
}

/** A client of a database that runs and is migrated. */
export function connectClient(connection: pg.PoolConfig): Pick<Database, 'client' | 'close'> {
  const pool = new pg.Pool({ ...connection, onConnect: setTimes });
  // A connection that breaks while it idles is replaced at the next query, which reports what is wrong.
  pool.on('error', () => {});
  const client = new PrismaClient({
    adapter: new PrismaPg(pool, { disposeExternalPool: true }),
    // The embedded database runs one transaction at a time. The others wait, which may take long on a busy machine.
    transactionOptions: { maxWait: 30_000, timeout: 60_000 },
  });
  return {
    client,
    async close() {
      await client.$disconnect();
      if (!pool.ended) await pool.end();
    },
  };
}

/**
 * The adapter writes times without a zone, reads them as UTC, and expects them in ISO 8601. Whatever zone and style the
 * server, the database or the role has: those of the connection are set before anything else is asked.
 */
async function setTimes(connection: pg.ClientBase): Promise<void> {
  await connection.query(
    "SET TIME ZONE 'UTC'; SET DateStyle TO 'ISO'; SET IntervalStyle TO 'postgres'",
  );
}

function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return 'DATABASE_URL';
  const shown = new URL(url);
  shown.password = '';
  return shown.href;
}

/** A host name with several addresses gives one error each, and an empty message around them. */
function reason(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reason).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
