import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type pg from 'pg';
import { StartError } from '../errors.ts';
import { hasRoom, openDataFolder } from './data-folder.ts';
import type { EmbeddedWorkerData, EmbeddedWorkerMessage } from './embedded-worker.ts';
import { takeOwnership } from './ownership.ts';

/** PostgreSQL in this process, for this process; another one is refused while it runs. */
export type EmbeddedDatabase = {
  readonly connection: pg.PoolConfig;
  /** Ends the connections, closes the files and lets go of the data folder. */
  close(): Promise<void>;
};

/** Called when the database fails while it is open, for the log. */
export type DatabaseWatcher = {
  /** Its thread has ended, for this reason; operations under way have failed. */
  readonly onDeath?: (reason: Error) => void;
  /** It is open again. */
  readonly onReturn?: () => void;
};

/** Delay before a thread that died is started again, doubled each time, and the number of tries in a row. */
const restartDelayMs = 200;
const longestRestartDelayMs = 5_000;
const restartsInARow = 5;

/**
 * Opens the database in `dataDir`, or makes one there, and keeps it open: a thread that dies is started
 * again, with everything that was committed. @throws StartError
 */
export async function openEmbedded(
  dataDir: string,
  watcher: DatabaseWatcher = {},
): Promise<EmbeddedDatabase> {
  const folder = openDataFolder(dataDir);
  const socket = join(folder.sockets, '.s.PGSQL.5432');
  const ownership = await takeOwnership(folder.path, folder.sockets, socket);
  try {
    const thread = await keepRunning({ folder: folder.database, socket }, watcher);
    return {
      connection: embeddedConnection(folder.sockets),
      async close() {
        await thread.close();
        await ownership.release();
      },
    };
  } catch (error) {
    await ownership.release();
    throw error;
  }
}

/**
 * How the `pg` driver reaches the database whose socket lies in `socketFolder`. One connection: there is one
 * session behind the socket, so that several would only wait for each other.
 */
export function embeddedConnection(socketFolder: string): pg.PoolConfig {
  return { host: socketFolder, port: 5432, user: 'postgres', database: 'postgres', max: 1 };
}

async function keepRunning(
  data: EmbeddedWorkerData,
  { onDeath = () => {}, onReturn = () => {} }: DatabaseWatcher,
): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  const first = await startThread(data);
  /** The running thread, or the one that is being started; null after closing. */
  let current: Promise<Thread | null> = Promise.resolve(first);
  watch(first);

  function watch({ ended }: Thread): void {
    void ended.then((reason) => {
      if (closing.signal.aborted) return;
      onDeath(reason);
      // The program cannot work without its database: where the restart fails, the error is not caught,
      // so that the process ends and its supervisor starts it again.
      current = restart();
    });
  }

  async function restart(failures = 0): Promise<Thread | null> {
    const pause = Math.min(restartDelayMs * 2 ** failures, longestRestartDelayMs);
    await delay(pause, undefined, { signal: closing.signal }).catch(() => {}); // closed meanwhile
    if (closing.signal.aborted) return null;
    try {
      const thread = await startThread(data);
      onReturn();
      watch(thread);
      return thread;
    } catch (error) {
      // A full disk is waited out: nothing is lost, and requests are refused meanwhile.
      if (failures + 1 >= restartsInARow && hasRoom(data.folder)) throw error;
      return restart(failures + 1);
    }
  }

  return {
    /** Also in the middle of a restart: the folder must not be in use when it has another owner. */
    async close() {
      closing.abort();
      const thread = await current.catch(() => null);
      thread?.worker.postMessage('close');
      await thread?.ended;
    },
  };
}

type Thread = {
  readonly worker: Worker;
  /** Resolves when it has ended, with the reason. */
  readonly ended: Promise<Error>;
};

const damaged =
  'If its files are damaged, put back a copy of the whole data folder; to begin with an empty database, move that folder away';

/** @throws StartError where the files cannot be opened. */
async function startThread(data: EmbeddedWorkerData): Promise<Thread> {
  const worker = new Worker(workerFile(), { workerData: data, name: 'database' });
  let reason: Error | undefined;
  // Never removed: an error without a listener would end the process.
  worker.on('error', (error: Error) => {
    reason ??= error;
  });
  const ended = new Promise<Error>((resolve) => {
    worker.once('exit', (code) =>
      resolve(reason ?? new Error(`Expected its thread to run, but it ended with code ${code}`)),
    );
  });
  const ready = new Promise<null>((resolve) => {
    worker.on('message', (message: EmbeddedWorkerMessage) => {
      if (message.type === 'ready') resolve(null);
      else reason = new Error(message.reason);
    });
  });
  const cause = await Promise.race([ready, ended]);
  if (cause === null) return { worker, ended };
  throw new StartError(
    `Expected to open the embedded database in ${data.folder}, but got: ${cause.message.replace(/\.$/, '')}. ${damaged}`,
    { cause },
  );
}

/** The compiled file beside this one, or where this one is TypeScript (in tests) the built one. */
function workerFile(): URL {
  const beside = new URL('embedded-worker.js', import.meta.url);
  if (existsSync(beside)) return beside;
  const built = new URL('../../dist/database/embedded-worker.js', import.meta.url);
  if (existsSync(built)) return built;
  throw new StartError(
    `Expected the compiled database thread at ${fileURLToPath(built)}, but there is none: make it with "node scripts/boot.cjs build"`,
  );
}
