import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '../../src/services/access/viewer.ts';
import { claimNext } from '../../src/services/runner/claim.ts';
import { idOf, never, openFixture, type ServiceFixture } from './support/service-fixture.ts';
import { draws, shutAt } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const claim = () => {
  const { client, events } = fixture;
  return claimNext({ client, events, runnerId: randomUUID(), leaseMs: 30_000 });
};
const ask = (viewer: Viewer, prompt: string, priority: 'LOW' | 'NORMAL' | 'HIGH' = 'NORMAL') =>
  fixture.ask(viewer, { settings: { prompt }, priority });

test('users take turns, whoever was first with many', async () => {
  const [many, few] = [await fixture.newViewer(), await fixture.newViewer()];
  for (const i of [1, 2, 3, 4]) await ask(many, `many ${i}`);
  for (const i of [1, 2]) await ask(few, `few ${i}`);
  const order: string[] = [];
  for (let turn = 0; turn < 6; turn++) {
    const claimed = await claim();
    order.push(claimed!.prompt);
    await fixture.client.generation.update({
      where: { id: claimed!.id },
      data: { status: 'SUCCEEDED' },
    });
  }
  expect(order).toEqual(['many 1', 'few 1', 'many 2', 'few 2', 'many 3', 'many 4']);
});

test('who runs fewest comes first, then who was served longest ago, then priority, then age', async () => {
  const [busy, idle] = [await fixture.newViewer(), await fixture.newViewer()];
  await ask(busy, 'busy running');
  await claim();
  await ask(busy, 'busy high', 'HIGH');
  await ask(idle, 'idle low', 'LOW');
  await ask(idle, 'idle old');
  await ask(idle, 'idle new');
  const order = [];
  for (let turn = 0; turn < 4; turn++) order.push((await claim())?.prompt);
  expect(order).toEqual(['idle old', 'busy high', 'idle new', 'idle low']);
  expect(await claim()).toBeNull();
});

test('positions are the order of the claims', async () => {
  const viewers = [await fixture.newViewer(), await fixture.newViewer()];
  for (let i = 0; i < 6; i++) await ask(viewers[i % 5 === 0 ? 0 : 1]!, `${i}`);
  const waiting = await fixture.client.generation.findMany({ where: { status: 'QUEUED' } });
  const positions = await Promise.all(waiting.map(fixture.generations.queuePosition));
  expect([...positions].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await fixture.generations.queue()).toEqual({ waiting: 6, running: 0 });
  const first = waiting[positions.indexOf(1)]!;
  expect((await claim())?.id).toBe(first.id);
  const running = await fixture.client.generation.findUniqueOrThrow({ where: { id: first.id } });
  expect(await fixture.generations.queuePosition(running)).toBeNull();
});

test('no two claims take the same one', async () => {
  const viewer = await fixture.newViewer();
  for (let i = 0; i < 5; i++) await ask(viewer, `${i}`);
  const claimed = await Promise.all(Array.from({ length: 8 }, claim));
  const ids = claimed.flatMap((generation) => generation?.id ?? []);
  expect(ids).toHaveLength(5);
  expect(new Set(ids).size).toBe(5);
});

test('estimates come from what has run, and from what stands before', async () => {
  const viewer = await fixture.newViewer();
  const first = await ask(viewer, 'first');
  expect(await fixture.generations.estimatedFinishAt(first)).toBeNull();
  const runner = await fixture.run(draws(() => new Promise(setImmediate)));
  await fixture.ended(viewer, first);
  await runner.stop();
  const [near, far] = [await ask(viewer, 'near'), await ask(viewer, 'far')];
  const times = await Promise.all([near, far].map(fixture.generations.estimatedFinishAt));
  expect(times[0]!.getTime()).toBeGreaterThanOrEqual(Date.now() - 1000);
  expect(times[1]!.getTime()).toBeGreaterThanOrEqual(times[0]!.getTime());
  expect(await fixture.generations.progress(near)).toBe(0);
});

test('progress is the finished steps of all images; what was cancelled keeps its images', async () => {
  const viewer = await fixture.newViewer();
  const third = shutAt(3, ({ seed }) => seed === 2);
  await fixture.run(draws(third.gate));
  const settings = { prompt: 'x', seed: 1, count: 2 };
  const asked = await fixture.ask(viewer, { settings });
  const stream = await fixture.generations.watchGeneration(
    viewer,
    idOf(asked),
    { after: null, previews: null },
    new AbortController().signal,
  );
  for await (const event of stream) if (event.type === 'GenerationImageReady') break;
  await third.arrived;
  const running = await fixture.generations.find(viewer, idOf(asked));
  expect(await fixture.generations.progress(running!)).toBe(6 / 8);
  expect(fixture.generations.stage(running!)).not.toBeNull();
  const { generation } = await fixture.generations.cancel(viewer, idOf(asked));
  expect(await fixture.generations.progress(generation)).toBe(1 / 2);
  expect(fixture.generations.stage(generation)).toBeNull();
});

test('progress counts the images that a stopped runner has left', async () => {
  const viewer = await fixture.newViewer();
  const second = shutAt(1, ({ seed }) => seed === 2);
  const runner = await fixture.run(draws(second.gate));
  const asked = await fixture.ask(viewer, { settings: { prompt: 'x', seed: 1, count: 2 } });
  const options = { after: null, previews: null };
  const stream = await fixture.generations.watchGeneration(viewer, idOf(asked), options, never);
  for await (const event of stream) if (event.type === 'GenerationImageReady') break;
  await runner.stop();
  const waiting = await fixture.generations.find(viewer, idOf(asked));
  expect(waiting?.status).toBe('QUEUED');
  expect(await fixture.generations.progress(waiting!)).toBe(1 / 2);
});
