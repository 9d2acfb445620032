import { chmodSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { watchForTraps } from './traps.ts';
import { inWholeSequences } from './whole-sequences.ts';

// The entry of the database's own thread: PostgreSQL, compiled to WebAssembly, behind a socket.
// In the API's thread every query would stop all others for as long as it takes.

export type EmbeddedWorkerData = {
  /** Where the database's files lie, or will. */
  readonly folder: string;
  /** The socket to listen on; the folder around it is private. */
  readonly socket: string;
};

export type EmbeddedWorkerMessage =
  | { readonly type: 'ready' }
  /** Sent before the thread ends: it could not open the database, or cannot continue. */
  | { readonly type: 'failed'; readonly reason: string };

const { folder, socket } = workerData as EmbeddedWorkerData;
const parent = parentPort;
if (parent === null) throw new Error('Expected to run as a worker thread');

const post = (message: EmbeddedWorkerMessage) => parent.postMessage(message);

try {
  if (!existsSync(folder)) await createDatabase();
  const db = await PGlite.create(folder);
  watchForTraps(db, end);
  rmSync(socket, { force: true }); // left over; we own the data folder
  const server = new PGLiteSocketServer({
    db: inWholeSequences(db, end),
    path: socket,
    maxConnections: 50,
  });
  await server.start();
  parent.once('message', async () => {
    await server.stop();
    await db.close();
    parent.close();
  });
  post({ type: 'ready' });
} catch (error) {
  end(error);
}

/** At once, so that no further message reaches a database in an undefined state. */
function end(error: unknown): never {
  post({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}

/** Under another name first, then renamed: a process that dies meanwhile leaves no incomplete database. */
async function createDatabase(): Promise<void> {
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  const db = await PGlite.create(unfinished);
  await db.close();
  // Its files come with modes of their own, whatever the umask.
  for (const entry of readdirSync(unfinished, { recursive: true, withFileTypes: true })) {
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
  }
  renameSync(unfinished, folder);
}
