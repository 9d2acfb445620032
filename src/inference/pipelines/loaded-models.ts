import { type ModelFolder, readModelFolder } from '../checkpoints/model-folder.ts';
import type { ModelPlace } from '../engine/protocol.ts';
import type { AttentionForm } from '../networks/layers.ts';
import { loadTextEncoder, type TextEncoder } from '../networks/text-encoder.ts';
import { loadTransformer, type Transformer } from '../networks/transformer.ts';
import { loadVae, type Vae } from '../networks/vae.ts';
import type { Choice } from '../providers.ts';
import { createSchedule, type Schedule } from '../sampling/schedule.ts';
import { fitLatentRgb, type LatentRgb } from './preview.ts';
import { Canceled, type Job, type Turns } from './turns.ts';

/** A model, ready to run. */
export type Model = {
  readonly folder: ModelFolder;
  readonly transformer: Transformer;
  readonly textEncoder: TextEncoder;
  readonly vae: Vae;
  readonly schedule: Schedule;
  readonly latentRgb: LatentRgb;
};

/** A model in use; it stays loaded until it is released. */
export type Lease = { readonly model: Model; release(): Promise<void> };

export type Models = {
  /**
   * The model for a job, loaded in one of its turns where it is not.
   * @throws Canceled, or what loading throws
   */
  acquire(place: ModelPlace, job: Job): Promise<Lease>;
  /** Let go of jobs that wait for room and are cancelled. */
  sweep(): void;
  close(): Promise<void>;
};

type Entry = { readonly key: string; users: number; readonly loading: Promise<Model> };

/**
 * Models in memory: those in use, and the last used ones up to `max` in all. Where all are in use,
 * jobs that want another wait in order of arrival, so that none is overtaken for ever.
 */
export function createModels({
  max,
  turns,
  threads,
  choice,
}: {
  max: number;
  turns: Turns;
  threads: number;
  choice: Choice;
}): Models {
  /** Used longest ago first. */
  let entries: Entry[] = [];
  let queue: { key: string; job: Job; enter: () => void; leave: () => void }[] = [];

  async function load({ folder }: ModelPlace): Promise<Model> {
    const found = await readModelFolder(folder);
    const { parts, schedule, latentRgb } = found;
    const options = (attention: AttentionForm) => ({
      provider: choice.provider,
      threads,
      attention,
    });
    const { attention } = choice;
    const loaded: { release(): Promise<void> }[] = [];
    const keep = <T extends { release(): Promise<void> }>(network: T): T => {
      loaded.push(network);
      return network;
    };
    try {
      const textEncoder = keep(
        await loadTextEncoder(parts.text_encoder, options(attention.textEncoder)),
      );
      const transformer = keep(
        await loadTransformer(parts.transformer, options(attention.transformer)),
      );
      const vae = keep(await loadVae(parts.vae, options(attention.autoencoder)));
      return {
        folder: found,
        textEncoder,
        transformer,
        vae,
        schedule: createSchedule(schedule),
        latentRgb: latentRgb ?? (await fitLatentRgb(vae)),
      };
    } catch (error) {
      await Promise.all(loaded.map((network) => network.release()));
      throw error;
    }
  }

  const hasRoomFor = (key: string) =>
    entries.some((entry) => entry.key === key) ||
    entries.filter(({ users }) => users > 0).length < max;

  function admit(): void {
    while (queue[0] !== undefined && hasRoomFor(queue[0].key)) queue.shift()!.enter();
  }

  /** Counted as used before anything else happens, so that no two take the same room. */
  function take(key: string, place: ModelPlace, job: Job): Entry {
    const entry = entries.find((known) => known.key === key) ?? {
      key,
      users: 0,
      loading: turns.run(job, () => load(place)),
    };
    entry.users++;
    entries = [...entries.filter((other) => other !== entry), entry];
    return entry;
  }

  function enter(key: string, place: ModelPlace, job: Job): Promise<Entry> {
    if (queue.length === 0 && hasRoomFor(key)) return Promise.resolve(take(key, place, job));
    return new Promise((resolve, reject) => {
      queue.push({
        key,
        job,
        enter: () => resolve(take(key, place, job)),
        leave: () => reject(new Canceled()),
      });
    });
  }

  async function evict(): Promise<void> {
    const idle = entries.filter(({ users }) => users === 0);
    const leaving = idle.slice(0, Math.max(0, entries.length - max));
    entries = entries.filter((entry) => !leaving.includes(entry));
    await Promise.all(leaving.map(unload));
  }

  async function acquire(place: ModelPlace, job: Job): Promise<Lease> {
    const entry = await enter(keyOf(place), place, job);
    try {
      await evict();
      const model = await entry.loading;
      const release = async () => {
        entry.users--;
        admit();
        await evict();
      };
      return { model, release };
    } catch (error) {
      entries = entries.filter((other) => other !== entry);
      admit();
      // The one that was to load it for all has left.
      if (error instanceof Canceled && !job.isCanceled()) return acquire(place, job);
      throw error;
    }
  }

  return {
    acquire,
    sweep() {
      const left = queue.filter(({ job }) => job.isCanceled());
      queue = queue.filter((one) => !left.includes(one));
      for (const one of left) one.leave();
      admit();
    },
    async close() {
      const all = entries;
      entries = [];
      await Promise.all(all.map(unload));
    },
  };
}

function keyOf({ folder, revision }: ModelPlace): string {
  return `${folder}\0${revision}`;
}

async function unload({ loading }: Entry): Promise<void> {
  const model = await loading.catch(() => null); // What never loaded has nothing to release.
  if (model === null) return;
  await Promise.all([
    model.transformer.release(),
    model.textEncoder.release(),
    model.vae.release(),
  ]);
}
