import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { readMetadata } from '../../src/images/metadata.ts';
import type { Generate } from '../../src/inference/request.ts';
import { sweepOrphans } from '../../src/services/maintenance/orphans.ts';
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

test('a cancelled engine job is let go of, and its place is free', async () => {
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

test('keeps the images it has when it is taken up again after a crash, and clears away the rest', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer, { settings: { ...settings, count: 2 } });
  const second = shutAt(1, ({ seed }) => seed === 8);
  let saved = () => {};
  const isSaved = new Promise<void>((resolve) => {
    saved = resolve;
  });
  const dead = await fixture.run(draws(second.gate), {
    reached: (point) => (point === 'before-publish' ? saved() : undefined),
  });
  await Promise.all([isSaved, second.arrived]);
  const [first] = await imagesOf(asked.id);
  await fixture.storage.write(`originals/${asked.id}/1-left-behind.png`, Buffer.from('half'));

  const drawn: number[] = [];
  await fixture.run(draws(({ seed }) => void drawn.push(seed)));
  expect((await fixture.ended(asked)).status).toBe('SUCCEEDED');
  await dead.stop();
  expect(new Set(drawn)).toEqual(new Set([8]));
  const images = await imagesOf(asked.id);
  expect(images[0]).toEqual(first);
  expect(await filesOf(asked.id)).toEqual(images.map(({ storageKey }) => storageKey).sort());
});

test('a generation that loses its engine three times has failed, and the others go on', async () => {
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

test('who shares an engine with what kills it is not failed for it', async () => {
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

test('what ran when a process died goes on side by side, and nobody else waits for it', async () => {
  const runnerId = '00000000-0000-4000-8000-000000000000';
  const left = { status: 'RUNNING', runnerId, leaseUntil: new Date(Date.now() + 60_000) } as const;
  const [first, second] = [await fixture.newViewer(), await fixture.newViewer()];
  const seeds = [1, 2, 3];
  const asked = [];
  for (const seed of seeds) {
    const viewer = seed === 3 ? second : first;
    asked.push(await fixture.ask(viewer, { settings: { ...settings, seed } }));
  }
  await fixture.client.generation.updateMany({
    where: { id: { in: [asked[0]!.id, asked[1]!.id] } },
    data: { ...left, attempts: 1 },
  });
  const gates = seeds.map((own) => shutAt(1, ({ seed }) => seed === own));
  const gate: Gate = (request, step) => Promise.all(gates.map((one) => one.gate(request, step)));
  await fixture.run(draws(gate), { concurrency: 3 });
  await Promise.all(gates.map(({ arrived }) => arrived));
  for (const { open } of gates) open();
  for (const generation of asked) {
    expect((await fixture.ended(generation)).status).toBe('SUCCEEDED');
  }
});

test('the last attempt is made alone', async () => {
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

test('a fault that will not go away fails at once, with its code and words', async () => {
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

test('stopping hands back what runs, without holding it against it', async () => {
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

test('hands back at once what the engine does not let go of, and stores nothing that it still draws', async () => {
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

test('what a dead process has left running goes on; the third death is its end', async () => {
  const viewer = await fixture.newViewer();
  const asked = [await fixture.ask(viewer), await fixture.ask(viewer)];
  const runnerId = '00000000-0000-4000-8000-000000000000';
  const left = { status: 'RUNNING', runnerId, leaseUntil: new Date(Date.now() + 60_000) } as const;
  await fixture.client.generation.update({
    where: { id: asked[0]!.id },
    data: { ...left, attempts: 2 },
  });
  await fixture.client.generation.update({
    where: { id: asked[1]!.id },
    data: { ...left, attempts: 3 },
  });
  await fixture.run(draws());
  expect((await fixture.ended(asked[0]!)).status).toBe('SUCCEEDED');
  expect(await fixture.ended(asked[1]!)).toMatchObject({
    status: 'FAILED',
    failureCode: 'ENGINE_FAILED',
  });
});

test('in a fleet only what has let its lease lapse is taken over', async () => {
  const viewer = await fixture.newViewer();
  const asked = [await fixture.ask(viewer), await fixture.ask(viewer)];
  const runnerId = '00000000-0000-4000-8000-000000000000';
  const lapse = (generation: { id: string }, leaseUntil: Date) =>
    fixture.client.generation.update({
      where: { id: generation.id },
      data: { status: 'RUNNING', runnerId, attempts: 1, leaseUntil },
    });
  await lapse(asked[0]!, new Date(Date.now() - 1000));
  await lapse(asked[1]!, new Date(Date.now() + 60_000));
  await fixture.run(draws(), { alone: false });
  expect((await fixture.ended(asked[0]!)).status).toBe('SUCCEEDED');
  const other = await fixture.client.generation.findUniqueOrThrow({ where: { id: asked[1]!.id } });
  expect(other).toMatchObject({ status: 'RUNNING', runnerId });
});

test('files without a row are cleared away; those of what waits, and what rows know of, are not', async () => {
  const viewer = await fixture.newViewer();
  const canceled = await fixture.ask(viewer);
  await fixture.generations.cancel(viewer, idOf(canceled));
  await fixture.run(draws());
  const done = await fixture.ended(await fixture.ask(viewer));
  await fixture.clear();
  const waiting = await fixture.ask(viewer);
  const unknown = '00000000-0000-4000-8000-00000000beef';
  for (const id of [canceled.id, done.id, waiting.id, unknown]) {
    await fixture.storage.write(`originals/${id}/0-left.png`, Buffer.from('x'));
  }
  expect(await sweepOrphans(fixture.client, fixture.storage, never)).toBe(3);
  const left = await Promise.all([canceled.id, unknown, waiting.id, done.id].map(filesOf));
  expect(left.map((files) => files.length)).toEqual([0, 0, 1, 1]);
  const [image] = await imagesOf(done.id);
  expect(left[3]).toEqual([image!.storageKey]);
});
