import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../../src/database/client.ts';
import { createMemoryEvents } from '../../../src/events/memory.events.ts';
import type { Generation } from '../../../src/generated/prisma/client.ts';
import type { Generate, ModelDescription } from '../../../src/inference/request.ts';
import { type Viewer, viewerNamed } from '../../../src/services/access/viewer.ts';
import {
  createGenerations,
  type GenerateInput,
  type GenerationsOptions,
} from '../../../src/services/generations/generations.ts';
import { createAssets } from '../../../src/services/library/assets.ts';
import { createProjects } from '../../../src/services/library/projects.ts';
import { toGlobalId } from '../../../src/services/relay/global-id.ts';
import { type Runner, type RunnerOptions, startRunner } from '../../../src/services/runner/run.ts';
import { createLive } from '../../../src/services/subscriptions/live.ts';
import type { EventView } from '../../../src/services/subscriptions/views.ts';
import { openLocalStorage } from '../../../src/storage/local.storage.ts';

export const model: ModelDescription = {
  name: 'tiny',
  title: 'Tiny',
  description: null,
  license: null,
  available: true,
  unavailableReason: null,
  parameters: 1,
  precision: 'F32',
  maxPromptTokens: 300,
  vocabulary: null,
  defaults: { width: 64, height: 64, steps: 4, guidanceScale: 4.5, sampler: 'DPMPP_2M' },
  sizes: [
    { width: 64, height: 64 },
    { width: 96, height: 48 },
  ],
  samplers: ['DPMPP_2M', 'DMD'],
};

export const broken: ModelDescription = {
  ...model,
  name: 'broken',
  available: false,
  unavailableReason: 'transformer.safetensors is cut off',
};

export const never: AbortSignal = new AbortController().signal;

export const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** Everything real, in a folder of its own, but for the engine. */
export async function openFixture(options: Partial<GenerationsOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'easel-fixture-'));
  const database = await openDatabase({ dataDir: folder });
  const { client } = database;
  const storage = await openLocalStorage(join(folder, 'storage'));
  const events = createMemoryEvents();
  const live = createLive();
  const generations = createGenerations({
    client,
    events,
    live,
    models: () => [model, broken],
    defaultModel: 'tiny',
    maxQueued: 100,
    maxOpenWaits: 4,
    ...options,
  });
  const runners: Runner[] = [];
  return {
    client,
    storage,
    events,
    live,
    generations,
    projects: createProjects({ client }),
    assets: createAssets({ client }),

    /** A user of its own, so that no test meets the rows of another. */
    async newViewer(): Promise<Viewer> {
      const name = `user-${randomUUID()}`;
      const user = await client.user.create({ data: { name } });
      await client.project.create({
        data: { ownerId: user.id, name: 'Default', defaultOf: user.id },
      });
      return viewerNamed(client, name);
    },

    async run(generate: Generate, more: Partial<RunnerOptions> = {}): Promise<Runner> {
      const runner = await startRunner({
        client,
        events,
        storage,
        live,
        generate,
        concurrency: 2,
        software: 'Easel test',
        alone: true,
        log: quiet,
        ...more,
      });
      runners.push(runner);
      return runner;
    },

    async ask(viewer: Viewer, input: Partial<GenerateInput> = {}): Promise<Generation> {
      const settings = { prompt: 'a boat', seed: 1, ...input.settings };
      return (await generations.request(viewer, { ...input, settings }, never)).generation;
    },

    /** Until the generation has ended: what its viewer saw. */
    async watchToEnd(viewer: Viewer, generation: Generation): Promise<EventView[]> {
      const stream = await generations.watchGeneration(viewer, idOf(generation), plain, never);
      return collect(stream);
    },

    ended: (viewer: Viewer, generation: Generation) =>
      generations.waitFor(viewer, idOf(generation), 60, never),

    /** Nothing is left that the next test's runner could take up. */
    async clear(): Promise<void> {
      await Promise.all(runners.splice(0).map((runner) => runner.stop()));
      await client.generation.updateMany({
        where: { status: { in: ['QUEUED', 'RUNNING'] } },
        data: { status: 'CANCELED' },
      });
    },

    async close(): Promise<void> {
      await this.clear();
      await events.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type ServiceFixture = Awaited<ReturnType<typeof openFixture>>;

/** The state as it stands first, no frames. */
export const plain = { after: null, previews: null } as const;

export function idOf(generation: { id: string }): string {
  return toGlobalId('Generation', generation.id);
}

export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

/** The next `count` of a stream that goes on. */
export async function take<T>(stream: AsyncIterator<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  while (items.length < count) {
    const { value, done } = await stream.next();
    if (done) break;
    items.push(value);
  }
  return items;
}

/** Until `isIt`, included. */
export async function takeUntil<T>(
  stream: AsyncIterator<T>,
  isIt: (item: T) => boolean,
): Promise<T[]> {
  const items: T[] = [];
  for (;;) {
    const { value, done } = await stream.next();
    if (done) return items;
    items.push(value);
    if (isIt(value)) return items;
  }
}
