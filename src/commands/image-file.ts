import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';
import { StartError } from '../errors.ts';
import { systemCode } from '../system-error.ts';

type Destination = {
  /** As typed: a folder or a .png file; null is the current folder. */
  readonly out: string | null;
  readonly seed: string;
  readonly isOneOfMany: boolean;
};

/**
 * Writes an image where it was asked to be. A file that was named is replaced; one that got its
 * name from us replaces nothing but the same image.
 * @returns the absolute path.
 * @throws StartError where it cannot be written
 */
export async function saveImage(png: Buffer, destination: Destination): Promise<string> {
  const { out, isOneOfMany } = destination;
  // It comes from a server, which must not choose our folders.
  const seed = /^\d+$/.test(destination.seed) ? destination.seed : 'image';
  try {
    if (out !== null && /\.png$/i.test(out) && !(await isFolder(out))) {
      const { dir, name, ext } = parse(resolve(out));
      const path = join(dir, isOneOfMany ? `${name}-${seed}${ext}` : `${name}${ext}`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, png);
      return path;
    }
    const folder = resolve(out ?? '.');
    await mkdir(folder, { recursive: true });
    return await writeUnderFreeName(png, join(folder, `easel-${seed}`));
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`Expected to write the image, but: ${reason}`, { cause });
  }
}

async function writeUnderFreeName(png: Buffer, stem: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = n === 1 ? `${stem}.png` : `${stem}-${n}.png`;
    try {
      await writeFile(path, png, { flag: 'wx' });
      return path;
    } catch (cause) {
      if (systemCode(cause) !== 'EEXIST') throw cause;
      if ((await readFile(path)).equals(png)) return path;
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  return stats?.isDirectory() ?? false;
}
