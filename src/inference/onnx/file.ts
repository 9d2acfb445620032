import { type BigIntStats, constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { DomainError } from '../../errors.ts';
import { systemFault, systemReason } from '../../system-error.ts';

/** A file as it was at one moment. */
export type FileStamp = {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  /**
   * Another after anything that happens to the file, also after a rename or new permissions: the time
   * of change, unlike that of writing, cannot be set back. Equal for two names of one file.
   */
  readonly version: string;
  /** Another once it is replaced, edited or cut short: for what must go on where nothing was written. */
  readonly dataVersion: string;
};

/** A file of a model folder that cannot be read. The message names it. */
export class FileUnreadable extends DomainError {
  /** There is no such file. */
  readonly isMissing: boolean;

  /** `reason` ends the sentence `Expected a readable file …, but …`. */
  constructor(file: string, reason: string, options?: ErrorOptions) {
    super(
      'MODEL_UNAVAILABLE',
      `Expected a readable file ${file}, but ${reason}`,
      { got: file },
      options,
    );
    const fault = systemFault(options?.cause);
    this.isMissing = fault === 'missing' || fault === 'not a folder';
  }
}

/** A file has not the content that its name promises, or not all of it. */
export class FileDamaged extends DomainError {
  constructor(file: string, problem: string, options?: ErrorOptions) {
    super('MODEL_UNAVAILABLE', `${problem} in ${file}`, { got: file }, options);
  }
}

/** A file was replaced or edited while it was in use. */
export class FileChanged extends DomainError {
  constructor(file: string) {
    super('MODEL_UNAVAILABLE', `Expected ${file} unchanged while it is in use, but it has changed`);
  }
}

export type OpenFile = {
  readonly handle: FileHandle;
  readonly stamp: FileStamp;
  /** Bytes. */
  readonly size: number;
};

/**
 * Open a regular file for reading. Never waits, as opening a named pipe does, and touches no device.
 * @throws FileUnreadable
 */
export async function openFile(file: string): Promise<OpenFile> {
  try {
    const path = await realpath(file);
    refuseOthers(file, await stat(path));
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await handle.stat({ bigint: true });
      if (!found.isFile()) throw new FileUnreadable(file, 'it is no longer one');
      return { handle, stamp: stampOf(path, found), size: Number(found.size) };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw new FileUnreadable(file, systemReason(cause), { cause });
  }
}

/** The whole of a small file. @throws FileUnreadable, FileDamaged where it is larger than `maxBytes` */
export async function readSmallFile(
  file: string,
  maxBytes: number,
): Promise<{ bytes: Buffer; stamp: FileStamp }> {
  const { handle, stamp, size } = await openFile(file);
  try {
    if (size > maxBytes) {
      throw new FileDamaged(file, `Expected at most ${maxBytes} bytes, but got ${size}`);
    }
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await handle.read(bytes, 0, size, 0);
    return { bytes: bytes.subarray(0, bytesRead), stamp };
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw new FileUnreadable(file, systemReason(cause), { cause });
  } finally {
    await handle.close();
  }
}

/** @param found a `stat` with `bigint`: only nanoseconds tell two changes in a row apart */
export function stampOf(
  path: string,
  found: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>,
): FileStamp {
  const dataVersion = `${found.ino}-${found.size}-${found.mtimeNs}`;
  return { path, version: `${dataVersion}-${found.ctimeNs}`, dataVersion };
}

/** What a file is that begins like this, as `a …`, where it is a usual mistake of downloading; else null. */
export function describeContent(bytes: Uint8Array): string | null {
  const start = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  if (start.startsWith('version https://git-lfs')) {
    return 'a Git LFS pointer: the file itself was not downloaded ("git lfs pull" gets it)';
  }
  if (/^(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml)/i.test(start)) {
    return 'an HTML page: the download was answered with a page, perhaps to log in or accept a licence';
  }
  return start === '' ? 'an empty file' : null;
}

function refuseOthers(file: string, found: Stats): void {
  if (found.isFile()) return;
  if (found.isDirectory()) throw new FileUnreadable(file, 'it is a folder');
  if (found.isFIFO()) throw new FileUnreadable(file, 'it is a named pipe');
  throw new FileUnreadable(file, found.isSocket() ? 'it is a socket' : 'it is a device');
}
