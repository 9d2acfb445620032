import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { StartError } from '../errors.ts';
import { PrismaClient } from '../generated/prisma/client.ts';
import { keepPrivate } from './data-folder.ts';
import { type DatabaseWatcher, openEmbedded } from './embedded.ts';
import { ensureInstallation } from './installation.ts';
import { migrate } from './migrate.ts';
import { connectAlone, sessionSettings } from './session.ts';

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

/**
 * After these a statement on a server has failed, and its request is told to come again. The server ends what takes too
 * long; where it does not answer at all, the driver gives up a little later.
 */
const patience = {
  connectMs: 5_000,
  lockMs: 8_000,
  statementMs: 10_000,
  answerMs: 12_000,
  idleInTransactionMs: 20_000,
} as const;

async function openServer(url: string, reached: Reached): Promise<Database> {
  const connection = {
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: patience.connectMs,
    keepAlive: true,
  };
  const probe = await connectAlone(connection).catch((cause: unknown) => {
    const text = `Expected a PostgreSQL server at ${withoutPassword(url)}, but got: ${reason(cause)}`;
    throw new StartError(text, { cause });
  });
  await checkServer(probe, url).finally(() => probe.end());
  return open('server', { connection, close: async () => {} }, reached);
}

/** @throws StartError where it cannot hold every prompt, or nothing new */
async function checkServer(probe: pg.Client, url: string): Promise<void> {
  const { rows } = await probe.query<{ encoding: string; is_replica: boolean; read_only: string }>(
    `select current_setting('server_encoding') as encoding, pg_is_in_recovery() as is_replica,
       current_setting('transaction_read_only') as read_only`,
  );
  const { encoding, is_replica: isReplica, read_only: readOnly } = rows[0]!;
  // In any other one a prompt with a letter that it lacks could not be stored.
  if (encoding !== 'UTF8') {
    throw new StartError(
      `Expected a database with the encoding UTF8 at ${withoutPassword(url)}, but its encoding is ${encoding}: create it with ENCODING 'UTF8' TEMPLATE template0`,
    );
  }
  if (isReplica || readOnly === 'on') {
    throw new StartError(
      `Expected a database that can be written to at ${withoutPassword(url)}, but it is ${isReplica ? 'a replica, which is read-only: name its primary server' : 'read-only: set default_transaction_read_only to off'}`,
    );
  }
}

/** Null where it answers and can be written to, else one sentence. For `/ready`. */
export async function checkDatabase(client: PrismaClient): Promise<string | null> {
  const [row] = await client.$queryRaw<{ is_read_only: boolean }[]>`
    select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as is_read_only`;
  return row?.is_read_only ? 'it is read-only' : null;
}

async function open(
  kind: Database['kind'],
  { connection, close: closeServer }: { connection: pg.PoolConfig; close(): Promise<void> },
  reached: Reached,
): Promise<Database> {
  const { client, close: disconnect } = connectClient(connection, kind);
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
export function connectClient(
  connection: pg.PoolConfig,
  kind: Database['kind'],
): Pick<Database, 'client' | 'close'> {
  const pool = new pg.Pool({ ...connection, ...poolOf[kind] });
  // A connection that breaks while it idles is replaced at the next query, which reports what is wrong.
  pool.on('error', () => {});
  const client = new PrismaClient({
    adapter: new PrismaPg(pool, { disposeExternalPool: true }),
    transactionOptions: transactionsOf[kind],
    // The longer forms repeat the arguments of a call, prompts among them.
    errorFormat: 'minimal',
  });
  return {
    client,
    async close() {
      await client.$disconnect();
      if (!pool.ended) await pool.end();
    },
  };
}

const timeouts = `SET statement_timeout = ${patience.statementMs}; SET lock_timeout = ${patience.lockMs}; SET idle_in_transaction_session_timeout = ${patience.idleInTransactionMs}`;

const poolOf = {
  embedded: { onConnect: (connection) => connection.query(sessionSettings) },
  server: {
    onConnect: (connection) => connection.query(`${sessionSettings}; ${timeouts}`),
    query_timeout: patience.answerMs,
  },
} satisfies Record<Database['kind'], pg.PoolConfig>;

const transactionsOf = {
  // It runs one transaction at a time. The others wait, which may take long on a busy machine.
  embedded: { maxWait: 30_000, timeout: 60_000 },
  server: { maxWait: patience.connectMs, timeout: patience.idleInTransactionMs },
} satisfies Record<Database['kind'], { maxWait: number; timeout: number }>;

/** Host, port and database alone: a password may stand before the host and in the parameters. */
function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return 'DATABASE_URL';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** A host name with several addresses gives one error each, and an empty message around them. */
function reason(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reason).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
