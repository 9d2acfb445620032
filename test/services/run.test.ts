import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { readMetadata } from '../../src/images/metadata.ts';
import type { Generate } from '../../src/inference/request.ts';
import type { CrashPoint } from '../../src/services/runner/crash-points.ts';
import type { Runner } from '../../src/services/runner/run.ts';
import { type Storage, StorageFull } from '../../src/storage/storage.ts';
import { idOf, never, openFixture, type ServiceFixture } from './support/service-fixture.ts';
import { draws, EngineLost, type Gate, shutAt } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const settings = { prompt: 'a boat', seed: 7 };
const imagesOf = (generationId: string) =>
  fixture.client.asset.findMany({ where: { generationId }, orderBy: { index: 'asc' } });
const filesOf = async (generationId: string) => {
  const keys: string[] = [];
  for await (const { key } of fixture.storage.list(`originals/${generationId}/`)) keys.push(key);
  return keys.sort();
};

test('stores every image with its file, its metadata and its seed', async () => {
  const viewer = await fixture.newViewer();
  await fixture.run(draws());
  const asked = await fixture.ask(viewer, { settings: { ...settings, count: 3 } });
  const ended = await fixture.ended(asked);
  expect(ended).toMatchObject({ status: 'SUCCEEDED', stage: null, runnerId: null });
  expect(ended.finishedAt).toBeInstanceOf(Date);
  expect(ended.provenance).toMatchObject({ executionProvider: 'cpu' });
  expect(ended.timings).toEqual([{ stage: 'DENOISING', milliseconds: 15 }]);
  const images = await imagesOf(asked.id);
  expect(images.map(({ index, seed }) => [index, seed])).toEqual([
    [0, 7n],
    [1, 8n],
    [2, 9n],
  ]);
  expect(await filesOf(asked.id)).toEqual(images.map(({ storageKey }) => storageKey).sort());
  const png = await fixture.storage.read(images[1]!.storageKey);
  expect(png.length).toBe(Number(images[1]!.bytes));
  expect(readMetadata(png).easel?.settings).toMatchObject({ prompt: 'a boat', seed: 8 });
});

test('cancels what waits, what runs, and leaves alone what has ended', async () => {
  const viewer = await fixture.newViewer();
  const waiting = await fixture.ask(viewer);
  expect(await fixture.generations.cancel(viewer, idOf(waiting))).toMatchObject({
    generation: { status: 'CANCELED' },
    alreadyFinished: false,
  });

  const second = shutAt(2, ({ seed }) => seed === 2);
  await fixture.run(draws(second.gate));
  const running = await fixture.ask(viewer, { settings: { ...settings, seed: 1, count: 2 } });
  await second.arrived;
  const events = await fixture.watchToEnd(viewer, waiting);
  expect(events.map(({ type }) => type)).toEqual(['GenerationCanceled']);
  const canceled = await fixture.generations.cancel(viewer, idOf(running));
  expect(canceled).toMatchObject({ generation: { status: 'CANCELED' }, alreadyFinished: false });
  const again = await fixture.generations.cancel(viewer, idOf(running));
  expect(again).toMatchObject({ generation: { status: 'CANCELED' }, alreadyFinished: true });

  const done = await fixture.ask(viewer, { settings });
  await fixture.ended(done);
  expect(await fixture.generations.cancel(viewer, idOf(done))).toMatchObject({
    generation: { status: 'SUCCEEDED' },
    alreadyFinished: true,
  });
});

test('a cancelled generation frees the runner for the next one', async () => {
  const viewer = await fixture.newViewer();
  const stuck = shutAt(1, ({ seed }) => seed === 1);
  await fixture.run(draws(stuck.gate), { concurrency: 1 });
  const first = await fixture.ask(viewer, { settings: { ...settings, seed: 1 } });
  const second = await fixture.ask(viewer, { settings: { ...settings, seed: 5 } });
  await stuck.arrived;
  await fixture.generations.cancel(viewer, idOf(first));
  expect((await fixture.ended(second)).status).toBe('SUCCEEDED');
});

test('an image that is finished after the cancel leaves no file and no row', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer, { settings });
  const runner = await fixture.run(draws(), {
    reached: async (point: CrashPoint) => {
      if (point === 'file-renamed') await fixture.generations.cancel(viewer, idOf(asked));
    },
  });
  expect((await fixture.ended(asked)).status).toBe('CANCELED');
  await runner.stop();
  expect(await filesOf(asked.id)).toEqual([]);
  expect(await imagesOf(asked.id)).toEqual([]);
});

test('a generation that loses its engine three times fails, and the others go on', async () => {
  const viewer = await fixture.newViewer();
  let losses = 0;
  const generate = draws(({ seed }) => {
    if (seed !== 666) return;
    losses += 1;
    throw new EngineLost();
  });
  const killer = await fixture.ask(viewer, { settings: { ...settings, seed: 666 } });
  const other = await fixture.ask(viewer, { settings: { ...settings, seed: 3 } });
  const types = fixture.watchToEnd(viewer, killer);
  await fixture.run(generate);
  expect((await fixture.ended(other)).status).toBe('SUCCEEDED');
  const failed = await fixture.ended(killer);
  expect(failed).toMatchObject({ status: 'FAILED', failureCode: 'ENGINE_FAILED' });
  expect(losses).toBe(3);
  expect((await types).at(-1)).toMatchObject({
    type: 'GenerationFailed',
    failure: { code: 'ENGINE_FAILED', retryable: true },
  });
});

test('a generation that shares an engine with one that kills it does not fail', async () => {
  const viewer = await fixture.newViewer();
  const killer = await fixture.ask(viewer, { settings: { ...settings, seed: 666 } });
  const neighbour = await fixture.ask(viewer, { settings: { ...settings, seed: 3 } });
  const inside = new Set<number>();
  const generate = draws(async ({ seed }, step) => {
    inside.add(seed);
    if (step === 2 && inside.has(666)) {
      // The engine is lost to all that run on it.
      await new Promise(setImmediate);
      inside.delete(seed);
      throw new EngineLost();
    }
    if (step === 4) inside.delete(seed);
  });
  await fixture.run(generate);
  expect((await fixture.ended(killer)).status).toBe('FAILED');
  expect((await fixture.ended(neighbour)).status).toBe('SUCCEEDED');
});

test('the last attempt runs alone', async () => {
  const viewer = await fixture.newViewer();
  const asked = [await fixture.ask(viewer, { settings: { ...settings, seed: 1 } })];
  await fixture.client.generation.update({ where: { id: asked[0]!.id }, data: { attempts: 2 } });
  asked.push(await fixture.ask(viewer, { settings: { ...settings, seed: 2 } }));
  let inside = 0;
  const most: number[] = [];
  const gate: Gate = async (_request, step) => {
    if (step === 1) most.push(++inside);
    await new Promise(setImmediate);
    if (step === 4) inside--;
  };
  await fixture.run(draws(gate));
  for (const one of asked) expect((await fixture.ended(one)).status).toBe('SUCCEEDED');
  expect(most).toEqual([1, 1]);
});

test('an error that cannot go away fails the generation at once, with its code and message', async () => {
  const viewer = await fixture.newViewer();
  await fixture.run(
    draws(() => {
      throw new DomainError('OUT_OF_MEMORY', 'Expected 2 GB, but got 1');
    }),
  );
  const ended = await fixture.ended(await fixture.ask(viewer));
  expect(ended).toMatchObject({ status: 'FAILED', attempts: 1, failureCode: 'OUT_OF_MEMORY' });
  expect(fixture.generations.failure(ended)?.message).toContain('Expected 2 GB');
});

test('a full disk fails the generation, keeps what it has, and the runner goes on', async () => {
  const viewer = await fixture.newViewer();
  let isFull = true;
  const { storage: real } = fixture;
  const storage: Storage = {
    read: (key) => real.read(key),
    open: (key, range) => real.open(key, range),
    stat: (key) => real.stat(key),
    delete: (key) => real.delete(key),
    list: (prefix) => real.list(prefix),
    write: async (key, bytes) => {
      if (isFull) throw new StorageFull(key);
      await real.write(key, bytes);
    },
  };
  await fixture.run(draws(), { storage });
  const ended = await fixture.ended(await fixture.ask(viewer));
  expect(ended).toMatchObject({ status: 'FAILED', failureCode: 'QUOTA_EXCEEDED' });
  isFull = false;
  expect((await fixture.ended(await fixture.ask(viewer))).status).toBe('SUCCEEDED');
});

test('a stop puts running generations back into the queue without counting the attempt', async () => {
  const viewer = await fixture.newViewer();
  const stuck = shutAt(1);
  const runner = await fixture.run(draws(stuck.gate));
  const asked = await fixture.ask(viewer);
  await stuck.arrived;
  await runner.stop();
  const row = await fixture.client.generation.findUniqueOrThrow({ where: { id: asked.id } });
  expect(row).toMatchObject({ status: 'QUEUED', attempts: 0, runnerId: null, startedAt: null });
  await fixture.run(draws());
  expect((await fixture.ended(asked)).status).toBe('SUCCEEDED');
});

test('a stop does not wait for an engine that ignores it, and stores nothing that it still yields', async () => {
  const viewer = await fixture.newViewer();
  const stuck = shutAt(1);
  const deaf: Generate = (request) => draws(stuck.gate)(request, { signal: never });
  const runner = await fixture.run(deaf);
  const asked = await fixture.ask(viewer);
  await stuck.arrived;
  await runner.handBack();
  const row = await fixture.client.generation.findUniqueOrThrow({ where: { id: asked.id } });
  expect(row).toMatchObject({ status: 'QUEUED', attempts: 0, runnerId: null, startedAt: null });
  stuck.open();
  await runner.stop();
  expect(await filesOf(asked.id)).toEqual([]);
  expect(await imagesOf(asked.id)).toEqual([]);
  await fixture.run(draws());
  expect((await fixture.ended(asked)).status).toBe('SUCCEEDED');
});

test('an image that is being stored when its generation is handed back leaves no file and no row', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer, { settings });
  let tell = () => {};
  const isHandedBack = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const runner: Runner = await fixture.run(draws(), {
    reached: async (point: CrashPoint) => {
      if (point === 'file-renamed') await runner.handBack().then(tell);
    },
  });
  await isHandedBack;
  await runner.stop();
  expect(await filesOf(asked.id)).toEqual([]);
  expect(await imagesOf(asked.id)).toEqual([]);
});
