import { BadStorageKey } from './storage.ts';

/** Bytes of UTF-8: what S3 allows is twice as much, what file systems allow for one part is 255. */
const maxKeyBytes = 512;
const maxPartBytes = 255;

/** Holds unfinished writes of the local adapter; reserved everywhere, so that a bucket can become a folder. */
export const unfinishedFolder = '.tmp';

/**
 * The one gate in front of every adapter.
 * @throws BadStorageKey for all that could leave the storage, or mean another object elsewhere.
 */
export function checkKey(key: string): void {
  const refuse = (reason: string): never => {
    throw new BadStorageKey(printable(key), reason);
  };
  if (key === '') refuse('it is empty');
  if (Buffer.byteLength(key) > maxKeyBytes) refuse(`it is longer than ${maxKeyBytes} bytes`);
  if (/[\u0000-\u001f\u007f]/.test(key)) refuse('it holds a control character');
  if (/\p{Surrogate}/u.test(key)) refuse('it holds half a character');
  if (key.includes('\\')) refuse('it holds a backslash');
  const parts = key.split('/');
  for (const part of parts) {
    if (part === '') refuse('one of its parts is empty');
    if (part === '.' || part === '..') refuse(`one of its parts is "${part}"`);
    if (Buffer.byteLength(part) > maxPartBytes) {
      refuse(`one of its parts is longer than ${maxPartBytes} bytes`);
    }
  }
  if (parts[0] === unfinishedFolder) refuse(`"${unfinishedFolder}" is reserved`);
}

/** Keys come back in messages: short, and on one line. */
function printable(key: string): string {
  const line = key.replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}
