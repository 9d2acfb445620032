import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { clipped, StartError } from '../errors.ts';
import { type SystemFault, systemFault, systemReason } from '../system-error.ts';

/** Paths in a data folder that was checked. Absolute. */
export type DataFolder = {
  readonly path: string;
  /** PGlite's own files. */
  readonly database: string;
  /** For sockets, mode 0700: access to it is access to the database. */
  readonly sockets: string;
};

const markFile = 'easel.json';
/** Raised when the layout changes in a way that older versions cannot read. */
const format = 1;
/** PostgreSQL's major version inside PGlite 0.5; another one cannot read its files. */
const postgresVersion = '18';
/** The system's limit for a socket's path is 108 bytes with its end mark (104 on macOS). */
const longestSocketPath = 103;
const longestSocketName = '/.s.PGSQL.5432';
/** An empty database takes 40 MB, and PostgreSQL writes its log in pieces of 16 MB. */
const roomAtFirst = 120e6;
const roomLater = 20e6;

/**
 * From here on whatever this process writes can be read by its user only, whatever umask it was started with, and so can
 * the data folder of an earlier version: it holds prompts, images and the key of the links.
 */
export function keepPrivate(dataDir: string): void {
  process.umask(0o077);
  const path = resolve(dataDir);
  attempt(path, () => makeFolder(path));
  try {
    chmodSync(path, 0o700);
  } catch (error) {
    // A volume that belongs to another user and is shared by group: `npm run doctor` says so.
    if (systemFault(error) !== 'denied' && systemFault(error) !== 'read-only') throw error;
  }
}

/**
 * Makes the data folder where there is none, and checks that it is ours, of a version that we read, and can be
 * written with some room left. @throws StartError
 */
export function openDataFolder(dataDir: string): DataFolder {
  keepPrivate(dataDir);
  const path = attempt(resolve(dataDir), () => realpathSync(dataDir));
  checkMark(path);
  const database = join(path, 'database');
  checkVersion(path, database);
  checkRoom(path, existsSync(database) ? roomLater : roomAtFirst);
  attempt(path, () => {
    const probe = join(path, `.probe-${process.pid}`);
    writeFileSync(probe, 'x');
    rmSync(probe);
    if (!existsSync(join(path, markFile))) {
      writeFileSync(join(path, markFile), `${JSON.stringify({ format })}\n`, { flag: 'w' });
    }
  });
  return { path, database, sockets: attempt(path, () => socketFolder(path)) };
}

/** One folder after the other: made all at once, Node 20 hides why it failed (ENOENT for a read-only disk). */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if (!existsSync(path)) throw error; // Else another start was quicker.
  }
}

function checkMark(path: string): void {
  const file = join(path, markFile);
  if (!existsSync(file)) {
    const strange = attempt(path, () => readdirSync(path)).find((name) => !name.startsWith('.'));
    if (strange === undefined || strange === 'lost+found') return;
    throw new StartError(
      `Expected the data folder ${path} to be empty or one of Easel's, but it holds "${strange}" and no ${markFile}: set DATA_DIR to another folder`,
    );
  }
  const got = formatIn(attempt(path, () => readSmall(file)));
  if (got !== format) {
    throw new StartError(
      `Expected the data folder ${path} to be of format ${format}, but ${file} says ${got}: it belongs to another version of Easel, or is damaged; ${restore}`,
    );
  }
}

function formatIn(text: string): unknown {
  try {
    return JSON.parse(text)?.format;
  } catch {
    return 'no format at all';
  }
}

const restore = 'put back a copy of the whole data folder, or set DATA_DIR to another one';

/** Longer than any of these files is. */
const smallFile = 1_000;

/** Never waits: whoever reads a pipe waits for its writer. */
function readSmall(file: string): string {
  const stat = statSync(file);
  if (stat.isFile() && stat.size <= smallFile) return readFileSync(file, 'utf8').trim();
  throw new StartError(
    `Expected ${file} to be a file of at most ${smallFile} bytes, but it is something else: ${restore}`,
  );
}

function checkVersion(path: string, database: string): void {
  if (!existsSync(database)) return;
  const file = join(database, 'PG_VERSION');
  const got = existsSync(file) ? attempt(path, () => readSmall(file)) : 'none';
  if (got === postgresVersion) return;
  throw new StartError(
    `Expected the database in ${database} to be of PostgreSQL ${postgresVersion}, but its version is ${clipped(got, 20) || 'empty'}: it was written by another version of Easel, or damaged; ${restore}`,
  );
}

function checkRoom(path: string, needed: number): void {
  const { bavail, bsize } = attempt(path, () => statfsSync(path));
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new StartError(
    `Expected at least ${megabytes(needed)} free on the disk of the data folder ${path}, but got ${megabytes(free)}: free some space first`,
  );
}

/** Whether a database that was closed in good order could be opened again. */
export function hasRoom(path: string): boolean {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize >= roomLater;
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1e6)} MB`;
}

/** Inside the data folder; where that lies too deep for a socket's path, in a private temporary folder. */
function socketFolder(path: string): string {
  const inside = join(path, 'sockets');
  if (Buffer.byteLength(inside + longestSocketName) <= longestSocketPath) {
    mkdirSync(inside, { recursive: true, mode: 0o700 });
    chmodSync(inside, 0o700);
    return inside;
  }
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 16);
  const outside = join(tmpdir(), `easel-${hash}`);
  mkdirSync(outside, { recursive: true, mode: 0o700 });
  const found = lstatSync(outside);
  // Other users may write to the temporary folder: a folder of theirs under this name is not used.
  if (!found.isDirectory() || found.uid !== (process.getuid?.() ?? found.uid)) {
    throw new StartError(
      `Expected ${outside} to be a folder of this user, but it belongs to another: remove it, or set DATA_DIR to a shorter path than ${path}`,
    );
  }
  chmodSync(outside, 0o700);
  return outside;
}

/** Runs file system calls; what they throw becomes one sentence about the data folder. */
function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(`Expected to write to the data folder ${path}, but ${reason(cause)}`, {
      cause,
    });
  }
}

/** What a person can do about it. */
const remedies: { readonly [Fault in SystemFault]?: string } = {
  denied: ': change its permissions, or set DATA_DIR to another folder',
  'read-only': ': set DATA_DIR to another folder',
  full: ': free some space first',
  'not a folder': ': set DATA_DIR to another folder',
};

function reason(cause: unknown): string {
  const fault = systemFault(cause);
  return systemReason(cause) + ((fault && remedies[fault]) ?? '');
}
