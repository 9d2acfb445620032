/** What a system call failed with, as far as a person can do something about it. */
export type SystemFault =
  | 'missing'
  | 'full'
  | 'denied'
  | 'read-only'
  | 'not a folder'
  | 'a folder'
  | 'link loop'
  | 'address in use'
  | 'no such address';

/** The one place that knows the codes of Node's system errors. */
const faults: Readonly<Record<string, SystemFault>> = {
  ENOENT: 'missing',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'read-only',
  ENOTDIR: 'not a folder',
  EEXIST: 'not a folder',
  EISDIR: 'a folder',
  ENOTEMPTY: 'a folder',
  ELOOP: 'link loop',
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'no such address',
  ENOTFOUND: 'no such address',
};

/** As the end of `Expected to …, but …`, where the file or the address was named before. */
const reasons = {
  missing: 'it does not exist',
  full: 'its disk is full',
  denied: 'this user has no permission',
  'read-only': 'its disk is read-only',
  'not a folder': 'it is, or lies below, a file',
  'a folder': 'it is a folder',
  'link loop': 'it is a symbolic link that leads to itself',
  'address in use': 'another program uses it',
  'no such address': 'this machine has no such address',
} satisfies Record<SystemFault, string>;

/** Undefined for everything that is no error of a system call. */
export function systemCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

/** Null where it is none of those. */
export function systemFault(cause: unknown): SystemFault | null {
  return faults[systemCode(cause) ?? ''] ?? null;
}

/** One phrase for a person; the words of the error itself where it is none of those. */
export function systemReason(cause: unknown): string {
  const fault = systemFault(cause);
  if (fault !== null) return reasons[fault];
  return cause instanceof Error ? cause.message : String(cause);
}
