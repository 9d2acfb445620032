import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type pg from 'pg';
import { StartError } from '../errors.ts';
import { openDataFolder } from './data-folder.ts';
import type { EmbeddedWorkerData, EmbeddedWorkerMessage } from './embedded-worker.ts';
import { type Ownership, takeOwnership } from './ownership.ts';

/** PostgreSQL in this process, for this process; another one is refused while it runs. */
export type EmbeddedDatabase = {
  readonly connection: pg.PoolConfig;
  /** Ends the connections, closes the files and lets go of the data folder. */
  close(): Promise<void>;
};

/** How long a thread that died waits before it comes back, and how often in a row. */
const restartDelayMs = 200;
const restartsInARow = 5;

/**
 * Opens the database in `dataDir`, or makes one there, and keeps it open: a thread that dies comes
 * back, with everything that was committed. @throws StartError
 */
export async function openEmbedded(dataDir: string): Promise<EmbeddedDatabase> {
  const folder = openDataFolder(dataDir);
  const socket = join(folder.sockets, '.s.PGSQL.5432');
  const ownership = await takeOwnership(folder.path, folder.sockets, socket);
  const worker = await keepRunning({ folder: folder.database, socket }, ownership);
  return {
    connection: embeddedConnection(folder.sockets),
    async close() {
      await worker.close();
      await ownership.release();
    },
  };
}

/**
 * How the `pg` driver reaches the database whose socket lies in `socketFolder`. One connection: there is one
 * session behind the socket, and it mixes up the messages of queries that come in over several at once
 * ("bind message supplies 4 parameters, but prepared statement requires 1").
 */
export function embeddedConnection(socketFolder: string): pg.PoolConfig {
  return { host: socketFolder, port: 5432, user: 'postgres', database: 'postgres', max: 1 };
}

async function keepRunning(
  data: EmbeddedWorkerData,
  ownership: Ownership,
): Promise<{ close(): Promise<void> }> {
  let closing = false;
  let failures = 0;
  let worker: Worker;
  try {
    worker = await startWorker(data);
  } catch (error) {
    await ownership.release();
    throw error;
  }
  watch();

  function watch(): void {
    worker.once('exit', () => {
      if (!closing) setTimeout(restart, restartDelayMs);
    });
  }

  async function restart(): Promise<void> {
    if (closing) return;
    try {
      worker = await startWorker(data);
      failures = 0;
      watch();
    } catch (error) {
      failures++;
      // Without its database the program is of no use to anybody: let it end, and be started again.
      if (failures >= restartsInARow) throw error;
      setTimeout(restart, restartDelayMs * 2 ** failures);
    }
  }

  return {
    async close() {
      closing = true;
      if (worker.threadId === -1) return;
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('close');
      await ended;
    },
  };
}

/** @throws StartError where the files cannot be opened. */
function startWorker(data: EmbeddedWorkerData): Promise<Worker> {
  const worker = new Worker(workerFile(), { workerData: data, name: 'database' });
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown) =>
      reject(
        new StartError(
          `Expected to open the embedded database in ${data.folder}, but got: ${reason}`,
          { cause },
        ),
      );
    worker.once('message', (message: EmbeddedWorkerMessage) => {
      if (message.type === 'ready') resolve(worker);
      else fail(message.reason);
    });
    // Stays: an error without a listener would end the process; the exit that follows restarts it.
    worker.on('error', (error) => fail(String(error), error));
    worker.once('exit', (code) => fail(`its thread ended with code ${code}`));
  });
}

/** The compiled file beside this one, or where this one is TypeScript (in tests) the built one. */
function workerFile(): URL {
  const beside = new URL('embedded-worker.js', import.meta.url);
  if (existsSync(beside)) return beside;
  const built = new URL('../../dist/database/embedded-worker.js', import.meta.url);
  if (existsSync(built)) return built;
  throw new StartError(
    `Expected the compiled database thread at ${fileURLToPath(built)}, but there is none: run "npm run build" first`,
  );
}
