import type { Readable } from 'node:stream';
import { DomainError } from '../errors.ts';

/** An object's length in bytes, and when it was written. */
export type ObjectInfo = { readonly bytes: number; readonly modifiedAt: Date };

/**
 * Where bytes lie: a local folder, or a bucket. Keys are slash-separated names such as
 * `originals/01j…/a.png`; a key that could leave the storage (`..`, absolute, empty parts, control
 * characters, over 512 bytes) is refused with `BadStorageKey` by every adapter.
 */
export interface Storage {
  /** Whole or not at all: a reader, or a crash, never meets half an object. Replaces what was there. */
  write(key: string, bytes: Uint8Array): Promise<void>;
  /** The whole object. @throws ObjectMissing */
  read(key: string): Promise<Buffer>;
  /** A stream over the bytes `start` to `end`, both included, of the object. @throws ObjectMissing */
  open(key: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Null where there is no such object. */
  stat(key: string): Promise<ObjectInfo | null>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
  /**
   * Every object whose key starts with `prefix`, in no order; unfinished writes are not seen. What lies there
   * but can be no object (a name that is no key, no permission) is passed over, and told to `onStray`.
   */
  list(prefix: string, onStray?: OnStray): AsyncIterable<{ readonly key: string } & ObjectInfo>;
}

/** `name`: what would be its key. */
export type OnStray = (name: string, reason: unknown) => void;

export class ObjectMissing extends DomainError {
  constructor(key: string, options?: ErrorOptions) {
    super('NOT_FOUND', `Expected a stored object under "${key}", but there is none`, {}, options);
  }
}

export class BadStorageKey extends DomainError {
  constructor(key: string, reason: string, options?: ErrorOptions) {
    super(
      'BAD_REQUEST',
      `Expected a storage key of plain names, but got "${key}": ${reason}`,
      {},
      options,
    );
  }
}

/** A range runs from `start` to `end`, both included; what lies beyond the object's end is left out. */
export class BadByteRange extends DomainError {
  constructor(range: { start: number; end: number }) {
    super(
      'BAD_REQUEST',
      `Expected a byte range 0 ≤ start ≤ end of whole numbers, but got ${range.start} to ${range.end}`,
    );
  }
}

/** There is no room for another object. The generation that wanted it fails; the program goes on. */
export class StorageFull extends DomainError {
  constructor(key: string, options?: ErrorOptions) {
    super(
      'QUOTA_EXCEEDED',
      `Expected room to store "${key}", but the disk is full: free some space and try again`,
      {},
      options,
    );
  }
}

/** The place is there, but will not be read or written: permissions, or mounted read-only. */
export class StorageDenied extends DomainError {
  constructor(key: string, reason: string, options?: ErrorOptions) {
    super(
      'INTERNAL_SERVER_ERROR',
      `Expected to reach the stored object "${key}", but ${reason}`,
      {},
      options,
    );
  }
}

/** @throws BadByteRange */
export function checkByteRange(range: { start: number; end: number }): void {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new BadByteRange(range);
  }
}
