import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { FileChanged, type FileStamp, openFile, stampOf } from '../onnx/file.ts';

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
    const key = keyOf(stamp);
    const found = sums.get(key) ?? underWay.get(key);
    if (found !== undefined) return found;
    const hashing = hashAndKeep(stamp, sums).finally(() => underWay.delete(key));
    underWay.set(key, hashing);
    return hashing;
  }

  async function hashAndKeep(stamp: FileStamp, sums: Map<string, string>): Promise<string> {
    const { sum, isOfVersion } = await hash(stamp);
    if (!isOfVersion) return sum;
    const outdated = [...sums.keys()].filter((key) => key.startsWith(`${stamp.path}\t`));
    for (const key of outdated) sums.delete(key);
    sums.set(keyOf(stamp), sum);
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

function keyOf({ path, version }: FileStamp): string {
  return `${path}\t${version}`;
}

/**
 * `isOfVersion` is false where the file was renamed, linked or given other permissions meanwhile: most
 * likely the same data, so that an image need not fail, but nothing to be kept.
 */
async function hash({
  path,
  version,
  dataVersion,
}: FileStamp): Promise<{ sum: string; isOfVersion: boolean }> {
  const { handle, stamp, size } = await openFile(path);
  try {
    if (stamp.dataVersion !== dataVersion) throw new FileChanged(path);
    const sum = createHash('sha256');
    // A file that grows while it is read is found to have changed, and not read for ever.
    const range = { start: 0, end: Math.max(0, size - 1) };
    const stream = handle.createReadStream({
      ...{ highWaterMark: pieceBytes, autoClose: false },
      ...range,
    });
    for await (const piece of stream) sum.update(piece);
    const after = stampOf(path, await handle.stat({ bigint: true }));
    if (after.dataVersion !== dataVersion) throw new FileChanged(path);
    const isOfVersion = stamp.version === version && after.version === version;
    return { sum: sum.digest('hex'), isOfVersion };
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
