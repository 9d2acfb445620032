import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Viewer } from '../../src/services/access/viewer.ts';
import { claimNext } from '../../src/services/runner/claim.ts';
import { idOf, never, openFixture, plain, type ServiceFixture } from './support/service-fixture.ts';
import { draws, EngineLost, type Gate, shutAt } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const claim = (maxRunningPerUser = 1_000) => {
  const { client, events } = fixture;
  return claimNext({
    ...{ client, events, runnerId: randomUUID(), leaseMs: 30_000 },
    maxRunningPerUser,
  });
};
const ask = (viewer: Viewer, prompt: string, priority: 'LOW' | 'NORMAL' | 'HIGH' = 'NORMAL') =>
  fixture.ask(viewer, { settings: { prompt }, priority });

test('users take turns, also where one of them has queued many before', async () => {
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

test('a user with as many running as one may have is passed over, also where nobody else waits', async () => {
  const [many, few] = [await fixture.newViewer(), await fixture.newViewer()];
  for (const i of [1, 2, 3]) await ask(many, `many ${i}`);
  await ask(few, 'few 1');
  const order = [];
  for (let turn = 0; turn < 5; turn++) order.push((await claim(2))?.prompt ?? null);
  expect(order).toEqual(['many 1', 'few 1', 'many 2', null, null]);
});

test('the order is fewest running, then least recently served, then priority, then age', async () => {
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
  const positions = await Promise.all(waiting.map(fixture.states.queuePosition));
  expect([...positions].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await fixture.queue.count()).toEqual({ waiting: 6, running: 0 });
  const first = waiting[positions.indexOf(1)]!;
  expect((await claim())?.id).toBe(first.id);
  const running = await fixture.client.generation.findUniqueOrThrow({ where: { id: first.id } });
  expect(await fixture.states.queuePosition(running)).toBeNull();
});

test('no two claims take the same one', async () => {
  const viewer = await fixture.newViewer();
  for (let i = 0; i < 5; i++) await ask(viewer, `${i}`);
  const claimed = await Promise.all(Array.from({ length: 8 }, claim));
  const ids = claimed.flatMap((generation) => generation?.id ?? []);
  expect(ids).toHaveLength(5);
  expect(new Set(ids).size).toBe(5);
});

test('estimates follow from measured steps and from the work ahead', async () => {
  const viewer = await fixture.newViewer();
  const first = await ask(viewer, 'first');
  expect(await fixture.states.estimatedFinishAt(first)).toBeNull();
  const runner = await fixture.run(draws(() => new Promise(setImmediate)));
  await fixture.ended(first);
  await runner.stop();
  const [near, far] = [await ask(viewer, 'near'), await ask(viewer, 'far')];
  const times = await Promise.all([near, far].map(fixture.states.estimatedFinishAt));
  expect(times[0]!.getTime()).toBeGreaterThanOrEqual(Date.now() - 1000);
  expect(times[1]!.getTime()).toBeGreaterThanOrEqual(times[0]!.getTime());
  expect(await fixture.states.progress(near)).toBe(0);
});

test('progress is the finished steps of all images; a cancel keeps it', async () => {
  const viewer = await fixture.newViewer();
  const third = shutAt(3, ({ seed }) => seed === 2);
  await fixture.run(draws(third.gate));
  const settings = { prompt: 'x', seed: 1, count: 2 };
  const asked = await fixture.ask(viewer, { settings });
  const stream = await fixture.subscriptions.watchGeneration(
    viewer,
    idOf(asked),
    plain,
    new AbortController().signal,
  );
  for await (const event of stream) if (event.type === 'GenerationImageReady') break;
  await third.arrived;
  const running = await fixture.generations.find(viewer, idOf(asked));
  expect(await fixture.states.progress(running!)).toBe(6 / 8);
  expect(await fixture.states.stage(running!)).not.toBeNull();
  const { generation } = await fixture.generations.cancel(viewer, idOf(asked));
  expect(await fixture.states.progress(generation)).toBe(6 / 8);
  expect(await fixture.states.stage(generation)).toBeNull();
});

test('progress counts the images that a stopped runner has stored', async () => {
  const viewer = await fixture.newViewer();
  const second = shutAt(1, ({ seed }) => seed === 2);
  const runner = await fixture.run(draws(second.gate));
  const asked = await fixture.ask(viewer, { settings: { prompt: 'x', seed: 1, count: 2 } });
  const options = plain;
  const stream = await fixture.subscriptions.watchGeneration(viewer, idOf(asked), options, never);
  for await (const event of stream) if (event.type === 'GenerationImageReady') break;
  await runner.stop();
  const waiting = await fixture.generations.find(viewer, idOf(asked));
  expect(waiting?.status).toBe('QUEUED');
  expect(await fixture.states.progress(waiting!)).toBe(1 / 2);
});

test('progress does not fall when an engine is lost and the images begin anew', async () => {
  const viewer = await fixture.newViewer();
  const again = shutAt(2);
  let losses = 0;
  const gate: Gate = (request, step) => {
    if (step === 4 && losses++ === 0) throw new EngineLost();
    return losses > 0 ? again.gate(request, step) : undefined;
  };
  const runner = await fixture.run(draws(gate));
  const asked = await fixture.ask(viewer);
  await again.arrived;
  const running = (await fixture.generations.find(viewer, idOf(asked)))!;
  expect(running).toMatchObject({ status: 'RUNNING', attempts: 2, finishedSteps: 3 });
  expect(await fixture.states.progress(running)).toBe(3 / 4);
  await runner.stop();
  const waiting = (await fixture.generations.find(viewer, idOf(asked)))!;
  expect(waiting).toMatchObject({ status: 'QUEUED', finishedSteps: 3 });
});

test('progress is in the row, for processes that have not heard of it', async () => {
  const viewer = await fixture.newViewer();
  const third = shutAt(3);
  await fixture.run(draws(third.gate), { storeProgressEveryMs: 0 });
  const asked = await fixture.ask(viewer);
  await third.arrived;
  await vi.waitFor(async () => {
    expect(await fixture.generations.find(viewer, idOf(asked))).toMatchObject({ finishedSteps: 2 });
  });
});

test('position and status of one answer agree, also where a runner has claimed it meanwhile', async () => {
  const viewer = await fixture.newViewer();
  const [first, second] = [await ask(viewer, 'first'), await ask(viewer, 'second')];
  await claim();
  const { states } = fixture;
  const answers = await Promise.all(
    [first, second].map((row) => Promise.all([states.row(row), states.queuePosition(row)])),
  );
  expect(answers.map(([row, position]) => [row.status, position])).toEqual([
    ['RUNNING', null],
    ['QUEUED', 1],
  ]);
  expect(answers[0]![0].startedAt).toBeInstanceOf(Date);
});
