import { outlast } from '../../database/outlast.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import {
  createPreviewDemand,
  type Generate,
  type PreviewDemand,
  type SourceImage,
  type Stage,
  setPreviewDemand,
} from '../../inference/request.ts';
import { imageRequestOf } from '../generations/stored-settings.ts';
import type { PreviewLeases } from './preview-leases.ts';
import { createRunProgress, type RunProgress } from './progress.ts';
import { type FinishedImage, folderOf, type SaveDeps, saveImage, type Timings } from './save.ts';
import { sourceImageOf } from './source-image.ts';
import { createStoredProgress } from './stored-progress.ts';

export type DrawDeps = SaveDeps & {
  readonly generate: Generate;
  readonly previews: PreviewLeases;
  /** Called for each preview frame that the engine has made. */
  readonly onFrame: () => void;
  /** Least time between two writes of the progress into the row, in milliseconds. */
  readonly storeProgressEveryMs: number;
};

/** The engine ended without an image, though it was not told to stop. */
export class NoImage extends Error {
  override readonly name = 'NoImage';
}

/** One run of a generation. */
export type Draw = {
  /** In all images: the most so far, in earlier runs too. */
  readonly finishedSteps: number;
  /** Resolves when the last image is committed, or `stop` has aborted and the engine has let go. */
  readonly ended: Promise<void>;
};

/**
 * Draws the images that are missing, all at once: the engine takes turns between them. The first fault of one
 * ends them all.
 */
export function drawGeneration(
  deps: DrawDeps,
  generation: Generation,
  stop: AbortController,
): Draw {
  let progress: RunProgress | undefined;
  const run = async () => {
    const ready = await outlast(() => readyImages(deps.client, generation.id), stop.signal);
    await sweepFolder(deps, generation.id, ready);
    await deps.reached('claimed');
    progress = createRunProgress(deps.events, generation, new Set(ready.keys()));
    try {
      await drawImages(deps, generation, { stop, progress, ready: new Set(ready.keys()) });
    } finally {
      progress.ended();
    }
  };
  return {
    get finishedSteps() {
      return progress?.finishedSteps ?? generation.finishedSteps;
    },
    ended: run(),
  };
}

type Run = {
  readonly stop: AbortController;
  readonly progress: RunProgress;
  readonly ready: Set<number>;
};

async function drawImages(deps: DrawDeps, generation: Generation, run: Run): Promise<void> {
  const { stop, ready } = run;
  const source = await sourceImageOf(deps, generation);
  const demand = createPreviewDemand();
  const renew = () => setPreviewDemand(demand, deps.previews.everyMsFor(generation));
  const leave = deps.previews.onChange(renew);
  renew();
  const images = createImages(deps, generation, run, { demand, source });
  const indexes = Array.from({ length: generation.count }, (_, index) => index);
  const missing = indexes.filter((index) => !ready.has(index));
  const drawing = missing.map(async (index) => {
    try {
      await images.draw(index);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  const ends = await Promise.allSettled(drawing);
  leave();
  const fault = ends.find((end) => end.status === 'rejected');
  if (fault !== undefined) throw fault.reason;
}

/** The images of one run; what they share is here: progress, timings, and the order of saving. */
function createImages(
  deps: DrawDeps,
  generation: Generation,
  { stop: { signal }, progress, ready }: Run,
  { demand, source }: { demand: PreviewDemand; source: SourceImage | null },
) {
  const stored = createStoredProgress(deps, generation, progress);
  const milliseconds = new Map<Stage, number>(
    timingsOf(generation).map((timing) => [timing.stage, timing.milliseconds]),
  );
  /** Images are saved one after the other, so that exactly one of them is the last. */
  let saving: Promise<unknown> = Promise.resolve();

  const enter = async (stage: Stage) => {
    progress.stageBegan(stage);
    await outlast(() => stored.stageBegan(), signal);
  };
  const save = async (finished: Pick<FinishedImage, 'index' | 'request' | 'image'>) => {
    if (signal.aborted) return;
    for (const { stage, milliseconds: taken } of finished.image.timings) {
      milliseconds.set(stage, (milliseconds.get(stage) ?? 0) + taken);
    }
    const timings = [...milliseconds].map(([stage, taken]) => ({ stage, milliseconds: taken }));
    const isLast = ready.size + 1 === generation.count;
    const { finishedSteps } = progress;
    const complete = { ...finished, timings, finishedSteps, isLast };
    const isSaved = await saveImage(deps, generation, complete, signal);
    if (!isSaved) return;
    ready.add(finished.index);
    progress.imageStored(finished.index);
  };
  return {
    async draw(index: number): Promise<void> {
      const request = { ...imageRequestOf(generation, index), source };
      for await (const event of deps.generate(request, { signal, demand })) {
        if (signal.aborted) return;
        switch (event.type) {
          case 'stage':
            await enter(event.stage);
            break;
          case 'step':
            if (event.frame !== null) deps.onFrame();
            progress.stepEnded(index, event.step, event.frame);
            stored.stepEnded();
            break;
          case 'image':
            await enter('SAVING');
            saving = saving.then(() => save({ index, request, image: event }));
            await saving;
            return;
        }
      }
      if (!signal.aborted) throw new NoImage(`Expected image ${index} of ${generation.id}`);
    },
  };
}

/** Index to storage key, of the images that earlier runs have stored. */
async function readyImages(client: PrismaClient, generationId: string) {
  const rows = await client.asset.findMany({
    where: { generationId },
    select: { index: true, storageKey: true },
  });
  return new Map(rows.map((row) => [row.index ?? -1, row.storageKey]));
}

/** Deletes the files of this generation that an earlier run has written and not committed. */
async function sweepFolder(
  { storage }: DrawDeps,
  generationId: string,
  ready: ReadonlyMap<number, string>,
): Promise<void> {
  const known = new Set(ready.values());
  for await (const { key } of storage.list(folderOf(generationId))) {
    if (!known.has(key)) await storage.delete(key);
  }
}

/** As `saveImage` has written them. */
export function timingsOf({ timings }: Pick<Generation, 'timings'>): Timings {
  return Array.isArray(timings) ? (timings as unknown as Timings) : [];
}
