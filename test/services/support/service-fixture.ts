import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryEvents } from '../../../src/events/memory.events.ts';
import type { Generation } from '../../../src/generated/prisma/client.ts';
import type { Generate, ModelDescription } from '../../../src/inference/request.ts';
import { type Viewer, viewerNamed } from '../../../src/services/access/viewer.ts';
import type { GenerateInput } from '../../../src/services/generations/request.ts';
import { toGlobalId } from '../../../src/services/relay/global-id.ts';
import { type Runner, type RunnerOptions, startRunner } from '../../../src/services/runner/run.ts';
import { type ServicesOptions, startServices } from '../../../src/services/services.ts';
import type { EventView } from '../../../src/services/subscriptions/views.ts';
import { openLocalStorage } from '../../../src/storage/local.storage.ts';
import { openTestDatabase } from '../../support/database.ts';

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
export async function openFixture(options: Partial<ServicesOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'easel-services-'));
  const database = await openTestDatabase();
  const { client } = database;
  const storage = await openLocalStorage(join(folder, 'storage'));
  const events = createMemoryEvents();
  const services = await startServices({
    maxProjects: 6,
    uploads: { maxBytes: 1_000_000, maxPixels: 1_000_000 },
    client,
    events,
    storage,
    models: () => [model, broken],
    listModels: async () => [model, broken],
    findModel: async (name) => [model, broken].find((one) => one.name === name) ?? null,
    defaultModel: 'tiny',
    quotas: { maxQueued: 100, maxStoredBytes: null, maxImagesPerDay: null },
    maxRunning: 2,
    maxOpenWaits: 4,
    maxOpenWaitsPerUser: 4,
    eventRetentionSeconds: 3600,
    version: '0.0.0',
    linkKeys: () => ['00'],
    linkHours: 48,
    isAccessRequired: false,
    ...options,
  });
  const { generations, subscriptions } = services;
  const runners: Runner[] = [];
  const stopped: Runner[] = [];
  return {
    client,
    storage,
    events,
    ...services,

    /** Preview frames so far, of all runners. */
    frames: () => ({
      framesComputed: [...runners, ...stopped].reduce((sum, one) => sum + one.framesComputed, 0),
      framesEncoded: subscriptions.framesEncoded,
    }),

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
      const stream = await subscriptions.watchGeneration(viewer, idOf(generation), plain, never);
      return collect(stream);
    },

    /** Its row when it has ended, `seconds` have passed, or `signal` has aborted. */
    waitFor: async (generation: Generation, seconds: number, signal: AbortSignal) => {
      const wait = { seconds, signal, ownerId: generation.ownerId };
      return (await subscriptions.waits.until(async () => ({ generation }), wait)).generation;
    },

    async ended(generation: Generation): Promise<Generation> {
      return this.waitFor(generation, 60, never);
    },

    /** Nothing is left that the next test's runner could take up. */
    async clear(): Promise<void> {
      const stopping = runners.splice(0);
      stopped.push(...stopping);
      await Promise.all(stopping.map((runner) => runner.stop()));
      await client.generation.updateMany({
        where: { status: { in: ['QUEUED', 'RUNNING'] } },
        data: { status: 'CANCELED' },
      });
    },

    async close(): Promise<void> {
      await this.clear();
      services.close();
      await events.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type ServiceFixture = Awaited<ReturnType<typeof openFixture>>;

/** The state as it stands first, no frames. */
export const plain = { after: null, previews: null, positions: true } as const;

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
