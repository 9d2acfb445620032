import { createHash } from 'node:crypto';
import type { Asset, PrismaClient } from '../../generated/prisma/client.ts';
import type { ObjectInfo, OnStray, Storage } from '../../storage/storage.ts';
import { toGlobalId } from '../relay/global-id.ts';
import { findOrphans, isSettled, unknownRenditions } from './orphans.ts';

/** What is wrong with a file, for people. */
export type Finding = {
  readonly kind: 'missing' | 'cut off' | 'altered' | 'unreadable' | 'without a row' | 'no object';
  readonly key: string;
  readonly text: string;
  readonly isRepaired: boolean;
};

type Deps = { readonly client: PrismaClient; readonly storage: Storage };

/** Rows, or files, that are compared at once. */
const batch = 500;

/**
 * Compares rows and files, both ways, and every file with its checksum. Safe while a server works on them. With
 * `repair`, files without a row are deleted. Damaged originals are never deleted: what is left of one may be of use,
 * and its generation can be run again.
 */
export async function* examine(deps: Deps, options: { repair: boolean }): AsyncGenerator<Finding> {
  yield* examineRows(deps);
  for (const folder of ['originals/', 'uploads/', 'renditions/'] as const) {
    yield* examineFiles(deps, folder, options);
  }
}

async function* examineRows({ client, storage }: Deps): AsyncGenerator<Finding> {
  let last: string | undefined;
  for (;;) {
    const assets: Asset[] = await client.asset.findMany({
      where: last === undefined ? {} : { id: { gt: last } },
      orderBy: { id: 'asc' },
      take: batch,
    });
    for (const asset of assets) {
      const finding = await examineOriginal(storage, asset);
      // It may have been deleted since it was read.
      if (finding && (await client.asset.findUnique({ where: { id: asset.id } }))) yield finding;
    }
    last = assets.at(-1)?.id;
    if (assets.length < batch) return;
  }
}

async function examineOriginal(storage: Storage, asset: Asset): Promise<Finding | null> {
  const remedy =
    asset.seed === null ? '' : `; its generation with seed ${asset.seed} makes it again`;
  const finding = (kind: Finding['kind'], what: string): Finding => ({
    kind,
    key: asset.storageKey,
    text: `asset ${toGlobalId('Asset', asset.id)}: ${what}${remedy}`,
    isRepaired: false,
  });
  try {
    const found = await storage.stat(asset.storageKey);
    if (found === null) return finding('missing', 'there is no file');
    const bytes = Number(asset.bytes);
    if (found.bytes !== bytes) {
      const kind = found.bytes < bytes ? 'cut off' : 'altered';
      return finding(kind, `the file has ${found.bytes} bytes of ${bytes}`);
    }
    const sha256 = await sha256Of(storage, asset.storageKey);
    if (sha256 === asset.sha256) return null;
    return finding('altered', `the file has SHA-256 ${sha256}, the row ${asset.sha256}`);
  } catch (cause) {
    return finding('unreadable', wordsOf(cause));
  }
}

/** On one line, as each finding is printed on one. */
function wordsOf(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).replace(/\s+/g, ' ');
}

async function sha256Of(storage: Storage, key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of await storage.open(key)) hash.update(chunk);
  return hash.digest('hex');
}

async function* examineFiles(
  { client, storage }: Deps,
  folder: 'originals/' | 'uploads/' | 'renditions/',
  { repair }: { repair: boolean },
): AsyncGenerator<Finding> {
  const findUnknown = folder === 'renditions/' ? unknownRenditions : findOrphans;
  const strays: ({ key: string } & ObjectInfo)[] = [];
  let files: ({ key: string } & ObjectInfo)[] = [];
  const look = async () => {
    const keys = new Set(
      await findUnknown(
        client,
        files.map(({ key }) => key),
      ),
    );
    strays.push(...files.filter(({ key }) => keys.has(key)));
    files = [];
  };
  const noObjects: Finding[] = [];
  const onStray: OnStray = (name, reason) => {
    const key = JSON.stringify(name).slice(1, -1);
    noObjects.push({ kind: 'no object', key, text: wordsOf(reason), isRepaired: false });
  };
  for await (const file of storage.list(folder, onStray)) {
    if (folder !== 'uploads/' || isSettled(file)) files.push(file);
    if (files.length === batch) await look();
  }
  await look();
  yield* noObjects;
  for (const { key, bytes } of strays) {
    const fault = repair ? await storage.delete(key).then(() => null, wordsOf) : null;
    const text = `${bytes} bytes that no row knows of${fault === null ? '' : `; ${fault}`}`;
    yield { kind: 'without a row', key, text, isRepaired: repair && fault === null };
  }
}
