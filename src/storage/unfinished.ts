import { randomUUID } from 'node:crypto';
import { lstat, open, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../system-error.ts';
import { isMissing } from './file-faults.ts';

/** Tells this life of the program from an earlier one with the same process id. */
const life = randomUUID().slice(0, 8);
const abandonedAfterMs = 60 * 60 * 1000;

/** A name for a file that is being written; it says who writes. */
export function unfinishedName(): string {
  return `${hostname()}~${process.pid}~${life}~${randomUUID()}`;
}

/** A new file whose bytes are on the disk when this resolves. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Removes what earlier writers left behind. Several processes may share the folder: a file stays
 * while its writer may still live, and of another machine nothing is known but the file's age.
 */
export async function sweepUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (isWriterDead(name) || (await isAbandoned(path))) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

function isWriterDead(name: string): boolean {
  const [host, pid, writerLife] = name.split('~');
  if (host !== hostname() || writerLife === life) return false;
  return Number(pid) === process.pid || !isAlive(Number(pid));
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > abandonedAfterMs;
  } catch (cause) {
    if (isMissing(cause)) return false; // Its writer has just finished.
    throw cause;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (cause) {
    return systemCode(cause) === 'EPERM'; // There, but somebody else's.
  }
}
