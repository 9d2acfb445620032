import { randomUUID } from 'node:crypto';
import { outlast } from '../../database/outlast.ts';
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
import { change } from '../event-log/change.ts';
import { released, subjectOf } from '../generations/transition.ts';
import type { CrashPoint } from './crash-points.ts';

export type Timings = readonly { readonly stage: Stage; readonly milliseconds: number }[];

export type FinishedImage = {
  readonly index: number;
  readonly request: ImageRequest;
  readonly image: Extract<EngineEvent, { type: 'image' }>;
  /** Of all images of the generation up to this one. */
  readonly timings: Timings;
  /** In all images of the generation. */
  readonly finishedSteps: number;
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
 * First the file, then the row, then the news: a row always has its file, and a file without a row is left by a
 * crash alone, and deleted later. A database that is away is waited for until `signal` aborts. False where the generation is not this runner's any more.
 * @throws StorageFull and what else storage, images and database throw
 */
export async function saveImage(
  deps: SaveDeps,
  generation: Generation,
  finished: FinishedImage,
  signal: AbortSignal,
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
  // Another name in every attempt: the file of another runner's row is never overwritten.
  const storageKey = `${folderOf(generation.id)}${finished.index}-${randomUUID()}.png`;
  await deps.storage.write(storageKey, png);
  await deps.reached('file-renamed');
  const file: StoredFile = {
    width,
    height,
    format: 'PNG',
    bytes: png.length,
    sha256: await sha256Of(png),
    storageKey,
    placeholder: placeholderOf(rgb, width, height),
  };
  // An image took seconds to draw: a database that is away for a while costs none.
  const isCommitted = await outlast(async (attempt) => {
    if (attempt > 1 && (await isStored(deps, storageKey))) return true;
    return commit(deps, generation, finished, file);
  }, signal);
  if (!isCommitted) await deps.storage.delete(storageKey);
  return isCommitted;
}

type StoredFile = Pick<
  Prisma.AssetUncheckedCreateInput,
  'width' | 'height' | 'format' | 'bytes' | 'sha256' | 'storageKey' | 'placeholder'
>;

/** Whether a commit has happened whose answer was lost. Who looks into the log regularly finds its events. */
async function isStored({ client }: SaveDeps, storageKey: string): Promise<boolean> {
  return (await client.asset.count({ where: { storageKey } })) > 0;
}

/** The row of the image, the state of its generation, their events. False: not this runner's any more. */
function commit(
  deps: SaveDeps,
  generation: Generation,
  { index, request, image, timings, finishedSteps, isLast }: FinishedImage,
  file: StoredFile,
): Promise<boolean> {
  const subject = subjectOf(generation);
  const { kind, model, sampler } = generation;
  const ofGeneration = { kind, model, sampler };
  const at = new Date(); // One for both: the last image is not newer than the end of its generation.
  return change(deps, async ({ tx, record }) => {
    const { count } = await tx.generation.updateMany({
      where: { id: generation.id, status: 'RUNNING', runnerId: generation.runnerId },
      // An image is progress: an engine that was lost before did not fail this time.
      data: {
        attempts: 1,
        timings: [...timings],
        finishedSteps,
        ...(isLast ? succeeded(image, at) : {}),
      },
    });
    if (count === 0) return false;
    const { id: assetId } = await tx.asset.create({
      data: { ...subject, ...file, ...ofGeneration, index, seed: request.seed, createdAt: at },
      select: { id: true },
    });
    record({ ...subject, type: 'GenerationImageReady', assetId });
    if (isLast) record({ ...subject, type: 'GenerationSucceeded' });
    return true;
  });
}

function succeeded({ provenance }: FinishedImage['image'], finishedAt: Date) {
  return {
    status: 'SUCCEEDED',
    finishedAt,
    provenance: { ...provenance },
    ...released,
  } as const;
}

/** In a thread of the pool: for a 4K image it takes tens of milliseconds. */
async function sha256Of(bytes: Buffer): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
  return Buffer.from(digest).toString('hex');
}
