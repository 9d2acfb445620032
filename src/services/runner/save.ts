import { randomUUID } from 'node:crypto';
import type { Events } from '../../events/events.ts';
import type { Generation, Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { encodePng } from '../../images/encode.ts';
import { placeholderOf } from '../../images/placeholder.ts';
import {
  type EngineEvent,
  type ImageRequest,
  type Stage,
  samplers,
} from '../../inference/request.ts';
import type { Storage } from '../../storage/storage.ts';
import { announce } from '../event-log/announce.ts';
import { append } from '../event-log/log.ts';
import { released } from '../generations/transition.ts';
import type { CrashPoint } from './crash-points.ts';

export type Timings = readonly { readonly stage: Stage; readonly milliseconds: number }[];

type FinishedImage = {
  readonly index: number;
  readonly request: ImageRequest;
  readonly image: Extract<EngineEvent, { type: 'image' }>;
  /** Of all images of the generation up to this one. */
  readonly timings: Timings;
  /** With it the generation has SUCCEEDED. */
  readonly isLast: boolean;
};

export type SaveDeps = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly storage: Storage;
  readonly software: string;
  readonly reached: (point: CrashPoint) => void | Promise<void>;
};

/** Where the files of a generation lie. */
export function folderOf(generationId: string): string {
  return `originals/${generationId}/`;
}

/**
 * First the file, then the row, then the news: a row always has its file, and a file without a row is only
 * what a crash leaves behind, to be swept. False where the generation is not this runner's any more.
 * @throws StorageFull and what else storage, images and database throw
 */
export async function saveImage(
  deps: SaveDeps,
  generation: Generation,
  finished: FinishedImage,
): Promise<boolean> {
  const { request, image } = finished;
  const { width, height, rgb, provenance } = image;
  const metadata = {
    software: deps.software,
    settings: request,
    samplerTitle: samplers[request.sampler].title,
    provenance,
  };
  const png = await encodePng(rgb, width, height, metadata);
  // A name of its own for every attempt: what another runner may have written stays what its row says.
  const storageKey = `${folderOf(generation.id)}${finished.index}-${randomUUID()}.png`;
  await deps.storage.write(storageKey, png);
  await deps.reached('file-renamed');
  const numbers = await commit(deps, generation, finished, {
    width,
    height,
    format: 'PNG',
    bytes: png.length,
    sha256: await sha256Of(png),
    storageKey,
    placeholder: placeholderOf(rgb, width, height),
  });
  if (numbers === null) {
    await deps.storage.delete(storageKey);
    return false;
  }
  await deps.reached('after-commit');
  await deps.reached('before-publish');
  for (const number of numbers) announce(deps.events, subjectOf(generation), number);
  return true;
}

type StoredFile = Pick<
  Prisma.AssetUncheckedCreateInput,
  'width' | 'height' | 'format' | 'bytes' | 'sha256' | 'storageKey' | 'placeholder'
>;

/** One transaction: the row of the image, the state of its generation, their events. Null: not ours any more. */
function commit(
  { client, reached }: SaveDeps,
  generation: Generation,
  { index, request, image, timings, isLast }: FinishedImage,
  file: StoredFile,
): Promise<number[] | null> {
  const subject = subjectOf(generation);
  return client.$transaction(async (tx) => {
    const { count } = await tx.generation.updateMany({
      where: { id: generation.id, status: 'RUNNING', runnerId: generation.runnerId },
      // An image is progress: what took the engine down before has not done so this time.
      data: { attempts: 1, timings: [...timings], ...(isLast ? succeeded(image) : {}) },
    });
    if (count === 0) return null;
    const { id: assetId } = await tx.asset.create({
      data: { ...subject, ...file, index, seed: request.seed },
      select: { id: true },
    });
    const numbers = [await append(tx, { ...subject, type: 'GenerationImageReady', assetId })];
    if (isLast) numbers.push(await append(tx, { ...subject, type: 'GenerationSucceeded' }));
    await reached('before-commit');
    return numbers;
  });
}

function succeeded({ provenance }: FinishedImage['image']) {
  return {
    status: 'SUCCEEDED',
    finishedAt: new Date(),
    provenance: { ...provenance },
    ...released,
  } as const;
}

function subjectOf({ ownerId, projectId, id: generationId }: Generation) {
  return { ownerId, projectId, generationId };
}

/** In a thread of the pool: of a 4K picture it would hold up the API for tens of milliseconds. */
async function sha256Of(bytes: Buffer): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
  return Buffer.from(digest).toString('hex');
}
