import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sweepOrphans } from '../../src/services/maintenance/orphans.ts';
import { createRecovery } from '../../src/services/runner/recover.ts';
import { idOf, never, openFixture, type ServiceFixture } from './support/service-fixture.ts';
import { draws, type Gate, shutAt } from './support/stand-in-engine.ts';

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

test('a generation that is run again after a crash keeps its stored images, and other files are deleted', async () => {
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

test('generations that ran in a process that died run again in parallel with others', async () => {
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

test('a generation whose process died runs again, and fails after the third death', async () => {
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

const otherRunner = '00000000-0000-4000-8000-000000000000';
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const nothingOwn = () => false;

/** A generation that another runner works on, and that runner's renewal of its lease. */
async function runningElsewhere() {
  const asked = await fixture.ask(await fixture.newViewer());
  const { id } = asked;
  const renew = (leaseUntil: Date) =>
    fixture.client.generation.update({
      where: { id },
      data: { status: 'RUNNING', runnerId: otherRunner, attempts: 1, leaseUntil },
    });
  await renew(new Date());
  return { asked, id, renew };
}
const statusOf = async (id: string) =>
  (await fixture.client.generation.findUniqueOrThrow({ where: { id } })).status;

test('with other runners, a generation whose lease nobody renews is run by one of them', async () => {
  const { asked } = await runningElsewhere();
  await fixture.run(draws(), { alone: false, leaseMs: 300 });
  expect((await fixture.ended(asked)).status).toBe('SUCCEEDED');
});

test('whatever the clock says, a generation is abandoned only where its lease was not renewed between four looks', async () => {
  const [kept, lost] = [await runningElsewhere(), await runningElsewhere()];
  const look = createRecovery({ ...fixture, log: quiet }, { slowMs: 60_000 });
  const day = 86_400_000;
  for (const now of [0, day, -day, 1]) {
    await kept.renew(new Date(Date.now() + now)); // A clock that jumps forward, and back.
    expect(await statusOf(lost.id)).toBe('RUNNING');
    await look(nothingOwn);
  }
  expect(await statusOf(kept.id)).toBe('RUNNING');
  expect(await statusOf(lost.id)).toBe('QUEUED');
});

test('a look at a slow database proves nothing, and what the runner itself works on is never abandoned', async () => {
  const { id } = await runningElsewhere();
  const slow = createRecovery({ ...fixture, log: quiet }, { slowMs: -1 });
  const own = createRecovery({ ...fixture, log: quiet }, { slowMs: 60_000 });
  for (let looks = 0; looks < 8; looks++) {
    await slow(nothingOwn);
    await own((one) => one === id);
  }
  expect(await statusOf(id)).toBe('RUNNING');
});

test('files without a row are deleted, but for those of waiting generations', async () => {
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
  const { id: asset } = (await imagesOf(done.id))[0]!;
  // A rendition of an image that was deleted while the process was killed, and two that are in use or under way.
  const kept = [`renditions/${asset}/64.webp`, 'uploads/new.png'];
  for (const key of [`renditions/${unknown}/64.webp`, ...kept]) {
    await fixture.storage.write(key, Buffer.from('x'));
  }
  expect(await sweepOrphans(fixture.client, fixture.storage, never)).toBe(4);
  for (const key of kept) expect(await fixture.storage.stat(key)).not.toBeNull();
  expect(await fixture.storage.stat(`renditions/${unknown}/64.webp`)).toBeNull();
  const left = await Promise.all([canceled.id, unknown, waiting.id, done.id].map(filesOf));
  expect(left.map((files) => files.length)).toEqual([0, 0, 1, 1]);
  const [image] = await imagesOf(done.id);
  expect(left[3]).toEqual([image!.storageKey]);
});
