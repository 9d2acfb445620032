import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../../errors.ts';

/** The keys that links are signed with, hexadecimal: the first one signs, all of them verify. */
export type LinkKeys = () => readonly string[];

/** 256 bits or more, so that nobody guesses it. */
export const linkKeyPattern = /^[0-9a-f]{64,}$/;

/** Keys that still verify after a rotation, the new one included. */
const kept = 2;
/** A rotation by a command is noticed within this, in milliseconds. */
const lookEveryMs = 1_000;

/**
 * The keys in the file `link-keys` of the data folder, one a line; made where it is missing, out of `first` where that is
 * given. @throws StartError where the file holds anything else
 */
export function linkKeysIn(dataFolder: string, first: string | null): LinkKeys {
  const path = pathIn(dataFolder);
  if (!existsSync(path)) write(path, [first ?? newKey()]);
  let [keys, mtimeMs] = [read(path), statSync(path).mtimeMs];
  let lookedAt = Date.now();
  return () => {
    if (Math.abs(Date.now() - lookedAt) < lookEveryMs) return keys;
    lookedAt = Date.now();
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeMs === mtimeMs) return keys;
    [keys, mtimeMs] = [read(path), stat.mtimeMs];
    return keys;
  };
}

/** New links are signed with a new key; those of the last one stay valid until they expire, or the next rotation. */
export function rotateLinkKeys(dataFolder: string): void {
  const path = pathIn(dataFolder);
  write(path, [newKey(), ...read(path)].slice(0, kept));
}

function pathIn(dataFolder: string): string {
  return join(dataFolder, 'link-keys');
}

function newKey(): string {
  return randomBytes(32).toString('hex');
}

function read(path: string): string[] {
  // Whoever reads a pipe waits for its writer.
  if (!statSync(path).isFile()) throw damaged(path);
  const keys = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  if (keys.length > 0 && keys.every((key) => linkKeyPattern.test(key))) return keys;
  throw damaged(path);
}

function damaged(path: string): StartError {
  return new StartError(
    `Expected ${path} to be a file of keys, each of 64 hexadecimal digits and on a line of its own, but it is something else: put back a copy, or delete it for a new key, which ends all links`,
  );
}

/** Whole or not at all, readable by its owner only. */
function write(path: string, keys: readonly string[]): void {
  const temporary = `${path}.${process.pid}`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, `${keys.join('\n')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
