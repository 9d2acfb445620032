import { DomainError } from '../errors.ts';
import { BadStorageKey, ObjectMissing, StorageDenied, StorageFull } from './storage.ts';

/** What the system calls of an object's file threw, as a fault of ours; a defect stays what it is. */
export function explain(cause: unknown, key: string): unknown {
  if (cause instanceof DomainError) return cause;
  switch (codeOf(cause)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ObjectMissing(key, { cause });
    case 'EISDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
      return new BadStorageKey(key, 'other objects lie under this name as under a folder');
    case 'ELOOP':
      return new BadStorageKey(key, 'it runs through symbolic links in a circle');
    case 'ENOSPC':
    case 'EDQUOT':
      return new StorageFull(key, { cause });
    case 'EACCES':
    case 'EPERM':
      return new StorageDenied(key, 'the storage folder does not permit it', { cause });
    case 'EROFS':
      return new StorageDenied(key, 'the storage folder is read-only', { cause });
    default:
      return cause;
  }
}

/** The end of a sentence that begins with the folder's name. */
export function whyUnusable(cause: unknown): string {
  switch (codeOf(cause)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'is on a full disk';
    case 'EACCES':
    case 'EPERM':
      return 'does not permit it';
    case 'EROFS':
      return 'is read-only';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'is a file, or lies below one';
    default:
      return `failed with ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

export function isMissing(cause: unknown): boolean {
  const code = codeOf(cause);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

export function codeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}
