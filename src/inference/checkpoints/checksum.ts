import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { FileChanged, type FileStamp, openFile, versionOf } from '../onnx/file.ts';

export type Checksums = {
  /**
   * SHA-256 of a network's weights, hex: of the file, or, of shards, of their hex checksums one
   * after the other. Read once, then known by path and version.
   * @throws FileChanged where a file is another by now, and was never read
   */
  of(files: readonly FileStamp[]): Promise<string>;
};

const cacheSchema = z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/));

/** Small enough that hashing a piece holds the event loop up for less than a millisecond. */
const pieceBytes = 256 * 1024;

/** @param cacheFile where checksums are kept over restarts: a full-size model takes half a minute. */
export function createChecksums(cacheFile?: string): Checksums {
  let known: Promise<Map<string, string>> | undefined;
  const underWay = new Map<string, Promise<string>>();
  let writes = Promise.resolve();

  async function ofFile(stamp: FileStamp): Promise<string> {
    known ??= readCache(cacheFile);
    const sums = await known;
    const key = `${stamp.path}\t${stamp.version}`;
    const found = sums.get(key) ?? underWay.get(key);
    if (found !== undefined) return found;
    const hashing = hash(stamp).finally(() => underWay.delete(key));
    underWay.set(key, hashing);
    const sum = await hashing;
    sums.set(key, sum);
    writes = writes.then(() => writeCache(cacheFile, sums));
    await writes;
    return sum;
  }

  return {
    async of(files) {
      const sums: string[] = [];
      for (const file of files) sums.push(await ofFile(file));
      return sums.length === 1
        ? sums[0]!
        : createHash('sha256').update(sums.join('')).digest('hex');
    },
  };
}

async function hash({ path, version }: FileStamp): Promise<string> {
  const { handle, stamp } = await openFile(path);
  try {
    if (stamp.version !== version) throw new FileChanged(path);
    const sum = createHash('sha256');
    const stream = handle.createReadStream({ highWaterMark: pieceBytes, autoClose: false });
    for await (const piece of stream) sum.update(piece);
    if (versionOf(await handle.stat({ bigint: true })) !== version) throw new FileChanged(path);
    return sum.digest('hex');
  } finally {
    await handle.close();
  }
}

/** A cache that cannot be read is an empty one: it is made again. */
async function readCache(cacheFile: string | undefined): Promise<Map<string, string>> {
  if (cacheFile === undefined) return new Map();
  const text = await readFile(cacheFile, 'utf8').catch(() => '{}');
  const parsed = cacheSchema.safeParse(parseJson(text));
  return new Map(parsed.success ? Object.entries(parsed.data) : []);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whole or not at all. Where the folder is read-only, the cache is for this process alone. */
async function writeCache(
  cacheFile: string | undefined,
  sums: ReadonlyMap<string, string>,
): Promise<void> {
  if (cacheFile === undefined) return;
  const text = JSON.stringify(Object.fromEntries(sums), null, 1);
  const written = writeFile(`${cacheFile}.new`, text).then(() =>
    rename(`${cacheFile}.new`, cacheFile),
  );
  await written.catch(() => undefined);
}
