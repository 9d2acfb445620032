import { spawnSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartError } from '../../src/errors.ts';
import { explain } from '../../src/storage/file-faults.ts';
import { openLocalStorage } from '../../src/storage/local.storage.ts';
import { BadStorageKey, StorageDenied, StorageFull } from '../../src/storage/storage.ts';
import { storageContract } from './contract.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'easel-storage-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

storageContract('local', async () => {
  const own = await mkdtemp(join(tmpdir(), 'easel-contract-'));
  return {
    storage: await openLocalStorage(own),
    close: () => rm(own, { recursive: true, force: true }),
  };
});

describe('opening a folder', () => {
  it('creates it with the folders above it', async () => {
    const storage = await openLocalStorage(join(folder, 'not', 'there'));
    await storage.write('a', Buffer.from('x'));
    expect(await readFile(join(folder, 'not', 'there', 'a'), 'utf8')).toBe('x');
  });

  it('finds what was stored before', async () => {
    await (await openLocalStorage(folder)).write('a/b', Buffer.from('kept'));
    const again = await openLocalStorage(folder);
    expect((await again.read('a/b')).toString()).toBe('kept');
  });

  it('follows a symbolic link that is the folder itself', async () => {
    await mkdir(join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'link'));
    const storage = await openLocalStorage(join(folder, 'link'));
    await storage.write('a', Buffer.from('x'));
    expect((await storage.read('a')).toString()).toBe('x');
  });

  it('removes unfinished files of a dead writer, and leaves those of a living one', async () => {
    await mkdir(join(folder, '.tmp'));
    const deadPid = spawnSync(process.execPath, ['--version']).pid;
    const dead = `${hostname()}~${deadPid}~0~1`;
    const formerLife = `${hostname()}~${process.pid}~0~1`;
    const alive = `${hostname()}~${process.ppid}~0~1`;
    const elsewhere = 'another-machine~1~0~1';
    const elsewhereLongAgo = 'another-machine~1~0~2';
    for (const name of [dead, formerLife, alive, elsewhere, elsewhereLongAgo]) {
      await writeFile(join(folder, '.tmp', name), 'half an obj');
    }
    const yesterday = new Date(Date.now() - 24 * 60 * 60 * 1000);
    await utimes(join(folder, '.tmp', elsewhereLongAgo), yesterday, yesterday);
    await openLocalStorage(folder);
    expect((await readdir(join(folder, '.tmp'))).sort()).toEqual([alive, elsewhere].sort());
  });

  it('says in one sentence that the folder is a file', async () => {
    await writeFile(join(folder, 'file'), '');
    const opening = openLocalStorage(join(folder, 'file'));
    await expect(opening).rejects.toThrow(StartError);
    await expect(opening).rejects.toThrow(/"[^"]*file", but it is, or lies below, a file$/);
  });

  // The superuser may write everywhere, whatever a folder's mode says.
  it.skipIf(process.getuid?.() === 0)('says that it does not permit writing', async () => {
    await chmod(folder, 0o500);
    await expect(openLocalStorage(folder)).rejects.toThrow(/but this user has no permission$/);
    await chmod(folder, 0o700);
  });
});

describe('on the disk', () => {
  it('leaves neither unfinished files nor empty folders behind', async () => {
    const storage = await openLocalStorage(folder);
    await storage.write('a/b/c', Buffer.from('x'));
    await expect(storage.write('a/b', Buffer.from('x'))).rejects.toThrow(BadStorageKey);
    for (const below of ['a/b/c/d', 'a/b/c/d/e']) {
      await expect(storage.write(below, Buffer.from('x'))).rejects.toThrow(BadStorageKey);
    }
    expect(await readdir(join(folder, '.tmp'))).toEqual([]);
    await storage.delete('a/b/c');
    expect(await readdir(folder)).toEqual(['.tmp']);
  });
});

describe('symbolic links out of the folder', () => {
  it('are followed by no operation', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'easel-outside-'));
    await writeFile(join(outside, 'secret'), 'secret');
    const storage = await openLocalStorage(folder);
    await symlink(outside, join(folder, 'link'));
    await symlink(join(outside, 'secret'), join(folder, 'file-link'));
    for (const key of ['link/secret', 'file-link']) {
      await expect(storage.read(key)).rejects.toThrow(BadStorageKey);
      await expect(storage.open(key)).rejects.toThrow(BadStorageKey);
      await expect(storage.stat(key)).rejects.toThrow(BadStorageKey);
    }
    await expect(storage.delete('link/secret')).rejects.toThrow(BadStorageKey);
    await expect(storage.write('link/new', Buffer.from('x'))).rejects.toThrow(BadStorageKey);
    await expect(storage.write('link/new/er', Buffer.from('x'))).rejects.toThrow(BadStorageKey);
    const listing = storage.list('link/')[Symbol.asyncIterator]();
    await expect(listing.next()).rejects.toThrow(BadStorageKey);
    const found: string[] = [];
    for await (const { key } of storage.list('')) found.push(key);
    expect(found).toEqual([]);
    await storage.write('file-link', Buffer.from('replaced'));
    expect(await readdir(outside)).toEqual(['secret']);
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
    await rm(outside, { recursive: true });
  });
});

describe('foreign files in the folder', () => {
  it('are reported and ignored where their name is not a key', async () => {
    const storage = await openLocalStorage(folder);
    await storage.write('a/1', Buffer.from('x'));
    await writeFile(join(folder, 'a', 'b\\c'), 'strange');
    await storage.write('a/2', Buffer.from('x'));
    const found: string[] = [];
    const strays: string[] = [];
    for await (const { key } of storage.list('a/', (name) => strays.push(name))) found.push(key);
    expect(found.sort()).toEqual(['a/1', 'a/2']);
    expect(strays).toEqual(['a/b\\c']);
  });
});

describe('faults of the disk', () => {
  const fault = (code: string) => explain(Object.assign(new Error(code), { code }), 'a/b');

  it('say that the disk is full', () => {
    expect(fault('ENOSPC')).toBeInstanceOf(StorageFull);
    expect(fault('ENOSPC')).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      message: 'Expected room to store "a/b", but the disk is full: free some space and try again',
    });
  });

  it('say that the folder is read-only, or closed to this user', () => {
    expect(fault('EROFS')).toBeInstanceOf(StorageDenied);
    expect(fault('EROFS')).toMatchObject({ message: expect.stringContaining('disk is read-only') });
    expect(fault('EACCES')).toMatchObject({ message: expect.stringContaining('no permission') });
  });

  it('do not replace an unknown error', () => {
    const defect = new TypeError('oops');
    expect(explain(defect, 'a')).toBe(defect);
  });
});
