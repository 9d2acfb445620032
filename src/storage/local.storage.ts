import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  opendir,
  realpath,
  rename,
  rm,
  rmdir,
  unlink,
} from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { StartError } from '../errors.ts';
import { systemCode, systemReason } from '../system-error.ts';
import { explain, isMissing } from './file-faults.ts';
import { checkKey, unfinishedFolder } from './key.ts';
import {
  BadStorageKey,
  checkByteRange,
  ObjectMissing,
  type OnStray,
  type Storage,
} from './storage.ts';
import { sweepUnfinished, unfinishedName, writeDurably } from './unfinished.ts';

/**
 * Creates the folder where it is missing, proves that it can be written to, and removes what
 * earlier lives of the program left unfinished.
 * @throws StartError with one sentence, where the folder cannot be used.
 */
export async function openLocalStorage(folder: string): Promise<Storage> {
  const unfinished = join(folder, unfinishedFolder);
  try {
    await mkdir(unfinished, { recursive: true });
    await sweepUnfinished(unfinished);
    const probe = join(unfinished, unfinishedName());
    await writeDurably(probe, new Uint8Array(4096));
    await unlink(probe);
    return new LocalStorage(await realpath(folder));
  } catch (cause) {
    throw new StartError(
      `Expected to write to the folder of the images, "${resolve(folder)}", but ${systemReason(cause)}`,
      { cause },
    );
  }
}

/** Objects as files: the key is the path below `folder`, an absolute path without symbolic links. */
class LocalStorage implements Storage {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key);
    const unfinished = join(this.#folder, unfinishedFolder, unfinishedName());
    try {
      await writeDurably(unfinished, bytes);
      await this.#place(key, unfinished, path);
    } catch (cause) {
      await rm(unfinished, { force: true });
      if (systemCode(cause) === 'ENOTDIR') {
        throw new BadStorageKey(key, 'a name above it is an object', { cause });
      }
      throw explain(cause, key);
    }
  }

  async read(key: string): Promise<Buffer> {
    const file = await this.#openFile(key);
    try {
      return await file.readFile();
    } catch (cause) {
      throw explain(cause, key);
    } finally {
      await file.close();
    }
  }

  async open(key: string, range?: { start: number; end: number }): Promise<Readable> {
    if (range) checkByteRange(range);
    const file = await this.#openFile(key);
    return file.createReadStream({ start: range?.start, end: range?.end, autoClose: true });
  }

  async stat(key: string) {
    const path = this.#path(key);
    try {
      await this.#refuseOutside(key, path);
      const { size, mtime, isFile } = await statOf(path);
      return isFile ? { bytes: size, modifiedAt: mtime } : null;
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw explain(cause, key);
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    try {
      await this.#refuseOutside(key, dirname(path));
      const { isFolder } = await statOf(path);
      if (isFolder) return;
      await unlink(path);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw explain(cause, key);
    }
    await this.#pruneEmptyFolders(dirname(path));
  }

  async *list(prefix: string, onStray: OnStray = () => {}) {
    const folderPart = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')));
    if (prefix.startsWith('/')) checkKey(prefix);
    if (folderPart !== '') checkKey(folderPart);
    const start = folderPart === '' ? this.#folder : this.#path(folderPart);
    try {
      await this.#refuseOutside(prefix, start);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw explain(cause, prefix);
    }
    yield* this.#walk(start, prefix, onStray);
  }

  async *#walk(
    folder: string,
    prefix: string,
    onStray: OnStray,
  ): AsyncGenerator<{ key: string; bytes: number; modifiedAt: Date }> {
    for await (const entry of entriesOf(folder, (cause) => onStray(this.#nameOf(folder), cause))) {
      const path = join(folder, entry.name);
      const key = this.#nameOf(path);
      if (entry.isDirectory()) {
        const mayMatch = `${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`);
        if (key !== unfinishedFolder && mayMatch) yield* this.#walk(path, prefix, onStray);
      } else if (entry.isFile() && key.startsWith(prefix)) {
        const info = await this.stat(key).catch((cause: unknown) => {
          onStray(key, cause);
          return null;
        });
        if (info) yield { key, ...info };
      }
    }
  }

  #nameOf(path: string): string {
    return path
      .slice(this.#folder.length + 1)
      .split(sep)
      .join('/');
  }

  async #openFile(key: string): Promise<FileHandle> {
    const path = this.#path(key);
    try {
      await this.#refuseOutside(key, path);
      const file = await open(path, constants.O_RDONLY);
      if ((await file.stat()).isFile()) return file;
      await file.close();
    } catch (cause) {
      throw explain(cause, key);
    }
    throw new ObjectMissing(key);
  }

  /** Moves a finished file to its name, and makes both the name and new folders durable. */
  async #place(key: string, from: string, to: string): Promise<void> {
    const folder = dirname(to);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#refuseOutside(key, await nearestExisting(folder));
        const firstCreated = await mkdir(folder, { recursive: true });
        await rename(from, to);
        await syncFolders(folder, firstCreated === undefined ? folder : dirname(firstCreated));
        return;
      } catch (cause) {
        // A delete at the same moment may have removed the folder as empty: make it again.
        if (systemCode(cause) !== 'ENOENT' || attempt === 10) throw cause;
      }
    }
  }

  async #pruneEmptyFolders(folder: string): Promise<void> {
    for (let empty = folder; empty !== this.#folder; empty = dirname(empty)) {
      try {
        await rmdir(empty);
      } catch {
        return; // Not empty, or already gone: either way there is nothing left to tidy.
      }
    }
  }

  #path(key: string): string {
    checkKey(key);
    return join(this.#folder, ...key.split('/'));
  }

  /** The names are checked by `checkKey`; this is for symbolic links that somebody put into the folder. */
  async #refuseOutside(key: string, path: string): Promise<void> {
    const real = await realpath(path);
    if (real !== this.#folder && !real.startsWith(this.#folder + sep)) {
      throw new BadStorageKey(key, 'it leads out of the storage folder');
    }
  }
}

/** A rename survives a power cut only when the folder that holds the name was synced, too. */
async function syncFolders(from: string, upTo: string): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    await syncFolder(folder);
    if (folder === upTo) return;
  }
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  } catch (cause) {
    if (!isMissing(cause)) throw cause; // The object was deleted at once, and its folder with it.
  }
}

async function nearestExisting(folder: string): Promise<string> {
  for (let candidate = folder; ; candidate = dirname(candidate)) {
    try {
      await lstat(candidate);
      return candidate;
    } catch (cause) {
      if (systemCode(cause) !== 'ENOENT') throw cause;
    }
  }
}

async function statOf(path: string) {
  const stats = await lstat(path);
  const target = stats.isSymbolicLink() ? await lstat(await realpath(path)) : stats;
  return {
    size: target.size,
    mtime: target.mtime,
    isFile: target.isFile(),
    isFolder: stats.isDirectory(),
  };
}

async function* entriesOf(folder: string, onUnreadable: (cause: unknown) => void) {
  try {
    yield* await opendir(folder);
  } catch (cause) {
    if (!isMissing(cause)) onUnreadable(cause); // Else deleted while we were listing.
  }
}
