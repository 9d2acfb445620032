import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import {
  type Generate,
  type ImageRequest,
  type Stage,
  samplerNames,
} from '../../inference/request.ts';
import type { Live, LiveGeneration } from '../subscriptions/live.ts';
import { folderOf, type SaveDeps, saveImage, type Timings } from './save.ts';

export type DrawDeps = SaveDeps & { readonly live: Live; readonly generate: Generate };

/** The engine ended without an image, though nobody had asked it to. */
export class NoImage extends Error {
  override readonly name = 'NoImage';
}

/**
 * Draws the images that are missing, all at once: the engine takes turns between them. Ends when the last one
 * is committed, or when `stop` aborts; the first fault of one ends them all.
 */
export async function drawGeneration(
  deps: DrawDeps,
  generation: Generation,
  stop: AbortController,
): Promise<void> {
  const ready = await readyImages(deps.client, generation.id);
  await sweepFolder(deps, generation.id, ready);
  await deps.reached('claimed');
  const live = deps.live.begin(generation, new Set(ready.keys()));
  try {
    const drawing = new Drawing(deps, generation, live, new Set(ready.keys()));
    const images = drawing.missing().map(async (index) => {
      try {
        await drawing.image(index, stop.signal);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
    const ends = await Promise.allSettled(images);
    const fault = ends.find((end) => end.status === 'rejected');
    if (fault !== undefined) throw fault.reason;
  } finally {
    live.end();
  }
}

/** Index to storage key, of what an earlier attempt has finished. */
async function readyImages(client: PrismaClient, generationId: string) {
  const rows = await client.asset.findMany({
    where: { generationId },
    select: { index: true, storageKey: true },
  });
  return new Map(rows.map((row) => [row.index ?? -1, row.storageKey]));
}

/** Files that an earlier attempt has written, and did not live to commit. */
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

/** One attempt at a generation. */
class Drawing {
  readonly #deps: DrawDeps;
  readonly #generation: Generation;
  readonly #live: LiveGeneration;
  readonly #ready: Set<number>;
  readonly #milliseconds: Map<Stage, number>;
  #stage: Stage | null = null;
  /** Images are saved one after the other, so that exactly one of them is the last. */
  #saving: Promise<unknown> = Promise.resolve();

  constructor(deps: DrawDeps, generation: Generation, live: LiveGeneration, ready: Set<number>) {
    this.#deps = deps;
    this.#generation = generation;
    this.#live = live;
    this.#ready = ready;
    this.#milliseconds = new Map(
      timingsOf(generation).map(({ stage, milliseconds }) => [stage, milliseconds]),
    );
  }

  missing(): number[] {
    const indexes = Array.from({ length: this.#generation.count }, (_, index) => index);
    return indexes.filter((index) => !this.#ready.has(index));
  }

  async image(index: number, signal: AbortSignal): Promise<void> {
    const { generate, events } = this.#deps;
    const request = requestOf(this.#generation, index);
    const channel = `owner:${this.#generation.ownerId}` as const;
    const demand = this.#live.demandOf(index);
    for await (const event of generate(request, { signal, demand })) {
      if (signal.aborted) return;
      switch (event.type) {
        case 'stage':
          await this.#enter(index, event.stage);
          break;
        case 'step':
          events.publish(channel, this.#live.step(index, event.step, event.frame));
          break;
        case 'image':
          await this.#enter(index, 'SAVING');
          this.#saving = this.#saving.then(() => this.#save(index, request, event, signal));
          await this.#saving;
          return;
      }
    }
    if (!signal.aborted) throw new NoImage(`Expected image ${index} of ${this.#generation.id}`);
  }

  /** The row says what most of it is busy with: the stage that an image has entered last. */
  async #enter(index: number, stage: Stage): Promise<void> {
    const { client, events } = this.#deps;
    const { id, ownerId, runnerId } = this.#generation;
    events.publish(`owner:${ownerId}`, this.#live.stage(index, stage));
    if (stage === this.#stage) return;
    this.#stage = stage;
    await client.generation.updateMany({
      where: { id, status: 'RUNNING', runnerId },
      data: { stage },
    });
  }

  async #save(
    index: number,
    request: ImageRequest,
    image: Parameters<typeof saveImage>[2]['image'],
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return;
    for (const { stage, milliseconds } of image.timings) {
      this.#milliseconds.set(stage, (this.#milliseconds.get(stage) ?? 0) + milliseconds);
    }
    const timings = [...this.#milliseconds].map(([stage, milliseconds]) => ({
      stage,
      milliseconds,
    }));
    const isLast = this.#ready.size + 1 === this.#generation.count;
    const isSaved = await saveImage(this.#deps, this.#generation, {
      index,
      request,
      image,
      timings,
      isLast,
    });
    if (!isSaved) return;
    this.#ready.add(index);
    this.#live.imageEnded(index);
  }
}

/** What the engine is asked for: image i has the seed of the generation plus i. */
function requestOf(row: Generation, index: number): ImageRequest {
  const sampler = samplerNames.find((known) => known === row.sampler);
  if (sampler === undefined) throw new Error(`Expected a known sampler, but got "${row.sampler}"`);
  return {
    model: row.model,
    prompt: row.prompt,
    negativePrompt: row.negativePrompt,
    cleanCaption: row.cleanCaption,
    width: row.width,
    height: row.height,
    steps: row.steps,
    guidanceScale: row.guidanceScale,
    guidanceStart: row.guidanceStart,
    guidanceEnd: row.guidanceEnd,
    sampler,
    seed: Number(row.seed) + index,
    share: row.ownerId,
  };
}

/** As `saveImage` has written them. */
export function timingsOf({ timings }: Pick<Generation, 'timings'>): Timings {
  return Array.isArray(timings) ? (timings as unknown as Timings) : [];
}
