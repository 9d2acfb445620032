import { DomainError } from '../errors.ts';
import { systemCode, systemFault, systemReason } from '../system-error.ts';
import { BadStorageKey, ObjectMissing, StorageDenied, StorageFull } from './storage.ts';

/** What the system calls of an object's file threw, as a fault of ours; a defect stays what it is. */
export function explain(cause: unknown, key: string): unknown {
  if (cause instanceof DomainError) return cause;
  if (isMissing(cause)) return new ObjectMissing(key, { cause });
  switch (systemFault(cause)) {
    case 'not a folder':
    case 'a folder':
      return new BadStorageKey(key, 'other objects lie under this name as under a folder');
    case 'link loop':
      return new BadStorageKey(key, systemReason(cause));
    case 'full':
      return new StorageFull(key, { cause });
    case 'denied':
    case 'read-only':
      return new StorageDenied(key, systemReason(cause), { cause });
    default:
      return cause;
  }
}

/** No file, or a file where a folder of its name would have to be. */
export function isMissing(cause: unknown): boolean {
  const code = systemCode(cause);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
