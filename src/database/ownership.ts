import { randomUUID } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { StartError } from '../errors.ts';
import { systemCode, systemFault, systemReason } from '../system-error.ts';

/** Proof that this process, and no other, may open the data folder. */
export type Ownership = { release(): Promise<void> };

/** What an owner writes about itself; `socket` answers as long as the process lives. */
export type Owner = { readonly pid: number; readonly socket: string; readonly database: string };

/** What is known of an owner whose file is damaged. */
type Unknown = { readonly [Key in keyof Owner]: null };

/**
 * Makes this process the owner of `folder`, or throws. Two programs in one PGlite folder destroy it
 * silently, so this must hold in all cases: two starts at once, a start after a `kill -9`.
 *
 * An owner listens on a socket of its own, whose name it writes into `owner.<n>`, n being one more
 * than the highest there is. Whether it lives is asked at its socket: the kernel closes that with
 * the process, and a number that the system has given away again (a pid) proves nothing.
 * `owner.<n>` appears with its contents (a hard link) and for one process only. The highest one is never
 * deleted, only followed, so a starter that was suspended between its steps finds itself overtaken.
 */
export async function takeOwnership(
  folder: string,
  socketFolder: string,
  database: string,
): Promise<Ownership> {
  const socket = join(socketFolder, `${randomUUID().slice(0, 8)}.sock`);
  const server = await listen(socket);
  const self: Owner = { pid: process.pid, socket, database };
  const draft = join(folder, `owner-${randomUUID()}.draft`);
  try {
    for (;;) {
      const highest = highestOwner(folder);
      const last = highest > 0 ? readOwner(folder, highest) : null;
      if (highest > 0 && last === null) continue; // followed and cleared away in the meantime
      // Of an owner whose file is damaged one socket is known all the same: it has the database open if it lives.
      const asked = last?.socket ?? database;
      if (last && (await answers(asked))) throw folderOwned(folder, last.pid);
      writeFileSync(draft, JSON.stringify(self), { mode: 0o600 });
      const mine = follow(folder, draft, highest + 1);
      rmSync(draft, { force: true });
      if (!mine) continue;
      clearBelow(folder, highest + 1);
      if (last?.socket && dirname(last.socket) === socketFolder)
        rmSync(last.socket, { force: true });
      return { release: () => close(server) };
    }
  } catch (error) {
    rmSync(draft, { force: true });
    await close(server);
    throw error;
  }
}

/** The owner of the folder; null where there is none. */
export async function currentOwner(folder: string): Promise<Owner | null> {
  const highest = highestOwner(folder);
  const owner = highest > 0 ? readOwner(folder, highest) : null;
  if (owner === null || owner.socket === null) return null;
  return (await answers(owner.socket)) ? owner : null;
}

function folderOwned(folder: string, pid: number | null): StartError {
  const owner = pid === null ? 'another process' : `process ${pid}`;
  return new StartError(
    `Expected the data folder ${folder} to be free, but ${owner} is using it: stop that one first, or set DATA_DIR to another folder`,
  );
}

const ownerFile = /^owner\.(\d{1,9})$/;
const draftFile = /^owner-[0-9a-f-]+\.draft$/;

function highestOwner(folder: string): number {
  const numbers = readdirSync(folder).map((name) => Number(ownerFile.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

const ownerSchema = z.object({
  pid: z.int().positive(),
  socket: z.string().min(1),
  database: z.string().min(1),
});

/** Null where the file is gone. @throws StartError where it is no file */
function readOwner(folder: string, number: number): Owner | Unknown | null {
  const file = join(folder, `owner.${number}`);
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if (systemFault(error) === 'missing') return null;
    if (systemFault(error) === null) return { pid: null, socket: null, database: null };
    throw new StartError(`Expected to read ${file}, but ${systemReason(error)}: remove it`, {
      cause: error,
    });
  }
}

/** True where `owner.<number>` is this process's now and there is no higher one. */
function follow(folder: string, draft: string, number: number): boolean {
  const file = join(folder, `owner.${number}`);
  try {
    linkSync(draft, file);
  } catch (error) {
    // Another start took the number, or deleted the file of an owner that had ended: look again.
    if (systemCode(error) === 'EEXIST' || systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  if (highestOwner(folder) === number) return true;
  rmSync(file, { force: true });
  return false;
}

function clearBelow(folder: string, number: number): void {
  for (const name of readdirSync(folder)) {
    const found = ownerFile.exec(name);
    const leftOver = found ? Number(found[1]) < number : draftFile.test(name);
    if (leftOver) rmSync(join(folder, name), { force: true });
  }
}

function listen(socket: string): Promise<Server> {
  const server = createServer((caller) => caller.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => {
      server.unref();
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Any answer but "connection refused" counts as an owner: waiting is harmless, going on is not. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const caller = connect(socket);
    caller.once('connect', () => {
      caller.destroy();
      resolve(true);
    });
    caller.once('error', (error) => {
      resolve(systemCode(error) !== 'ECONNREFUSED' && systemCode(error) !== 'ENOENT');
    });
  });
}
