import type { LoadedModel, ModelLoader, ModelRef } from './model-loader.ts';
import { Canceled, type Job, type Turns } from './turns.ts';

/** A model in use; it stays loaded until it is released. */
export type ModelLease = { readonly loaded: LoadedModel; release(): Promise<void> };

export type LoadedModels = {
  /**
   * The model for a job, loaded in one of its turns where it is not.
   * @throws Canceled, or what loading throws
   */
  acquire(ref: ModelRef, job: Job): Promise<ModelLease>;
  /** Removes waiting jobs that are cancelled. */
  sweep(): void;
  close(): Promise<void>;
};

type Entry = {
  readonly ref: ModelRef;
  users: number;
  readonly loading: Promise<LoadedModel>;
};

type Waiting = { readonly ref: ModelRef; readonly job: Job; enter(): void; cancel(): void };

/**
 * Models in memory: those in use, and the last used ones up to `max` in all. Where all are in use,
 * jobs that want another wait in order of arrival, so that none is overtaken for ever.
 */
export function createLoadedModels({
  max,
  turns,
  loader,
}: {
  max: number;
  turns: Turns;
  loader: ModelLoader;
}): LoadedModels {
  /** Used longest ago first. */
  let entries: Entry[] = [];
  let queue: Waiting[] = [];

  const hasRoomFor = (ref: ModelRef) =>
    entries.some((entry) => isSame(entry.ref, ref)) ||
    entries.filter(({ users }) => users > 0).length < max;

  function admit(): void {
    while (queue[0] !== undefined && hasRoomFor(queue[0].ref)) queue.shift()!.enter();
  }

  /** Counted as used before anything else happens, so that no two take the same room. */
  function take(ref: ModelRef, job: Job): Entry {
    const entry = entries.find((known) => isSame(known.ref, ref)) ?? {
      ref,
      users: 0,
      loading: turns.run(job, () => loader.load(ref)),
    };
    entry.users++;
    entries = [...entries.filter((other) => other !== entry), entry];
    return entry;
  }

  function enter(ref: ModelRef, job: Job): Promise<Entry> {
    if (queue.length === 0 && hasRoomFor(ref)) return Promise.resolve(take(ref, job));
    return new Promise((resolve, reject) => {
      queue.push({
        ref,
        job,
        enter: () => resolve(take(ref, job)),
        cancel: () => reject(new Canceled()),
      });
    });
  }

  /** Idle ones: those whose files have changed since, and those used longest ago. */
  async function evict(): Promise<void> {
    const isOutdated = ({ ref }: Entry, index: number) =>
      entries.slice(index + 1).some((later) => later.ref.found.folder === ref.found.folder);
    const outdated = entries.filter(
      (entry, index) => entry.users === 0 && isOutdated(entry, index),
    );
    const idle = entries.filter((entry) => entry.users === 0 && !outdated.includes(entry));
    const tooMany = Math.max(0, entries.length - outdated.length - max);
    const leaving = [...outdated, ...idle.slice(0, tooMany)];
    entries = entries.filter((entry) => !leaving.includes(entry));
    await Promise.all(leaving.map(unload));
  }

  async function acquire(ref: ModelRef, job: Job): Promise<ModelLease> {
    const entry = await enter(ref, job);
    try {
      await evict();
      const loaded = await entry.loading;
      await loader.trim();
      const release = async () => {
        entry.users--;
        admit();
        await evict();
        await loader.trim();
      };
      return { loaded, release };
    } catch (error) {
      entries = entries.filter((other) => other !== entry);
      admit();
      await loader.trim();
      // The job that was to load it for all was cancelled.
      if (error instanceof Canceled && !job.isCanceled()) return acquire(ref, job);
      throw error;
    }
  }

  return {
    acquire,
    sweep() {
      const left = queue.filter(({ job }) => job.isCanceled());
      queue = queue.filter((one) => !left.includes(one));
      for (const one of left) one.cancel();
      admit();
    },
    async close() {
      const all = entries;
      entries = [];
      await Promise.all(all.map(unload));
      await loader.trim();
    },
  };
}

function isSame(one: ModelRef, other: ModelRef): boolean {
  return one.found.folder === other.found.folder && one.revision === other.revision;
}

async function unload({ loading }: Entry): Promise<void> {
  const loaded = await loading.catch(() => null); // What never loaded has nothing to release.
  loaded?.release();
}
