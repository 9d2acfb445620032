import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Generation } from '../../src/generated/prisma/client.ts';
import type { Viewer } from '../../src/services/access/viewer.ts';
import { encodeEventCursor, readEventCursor } from '../../src/services/event-log/cursor.ts';
import { append } from '../../src/services/event-log/log.ts';
import { changeStatus } from '../../src/services/generations/transition.ts';
import { toGlobalId } from '../../src/services/relay/global-id.ts';
import type { PreviewOptions } from '../../src/services/subscriptions/frames.ts';
import type { EventView } from '../../src/services/subscriptions/views.ts';
import {
  collect,
  idOf,
  never,
  openFixture,
  plain,
  type ServiceFixture,
  take,
  takeUntil,
} from './support/service-fixture.ts';
import { draws, shutAt } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const settings = { prompt: 'a boat', seed: 7 };
const small: PreviewOptions = { format: 'WEBP', maxSize: null, everyMs: 0 };
const typesOf = (events: readonly EventView[]) => events.map(({ type }) => type);
const statesOf = (events: readonly EventView[]) =>
  typesOf(events.filter(({ type }) => type !== 'GenerationProgress'));
const numbersOf = (viewer: Viewer, events: readonly EventView[]) =>
  events.map(({ cursor }) => readEventCursor(viewer.id, cursor));
const isProgress = ({ type }: EventView) => type === 'GenerationProgress';

test('sends all events of a generation, and ends after the final one', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer, { settings: { ...settings, count: 2 } });
  const stream = await fixture.subscriptions.watchGeneration(viewer, idOf(asked), plain, never);
  const [first] = await take(stream, 1);
  await fixture.run(draws());
  const events = [first!, ...(await collect(stream))];
  expect(statesOf(events)).toEqual([
    'GenerationQueued',
    'GenerationStarted',
    'GenerationImageReady',
    'GenerationImageReady',
    'GenerationSucceeded',
  ]);
  expect(events[0]).toMatchObject({ position: 1, generationId: asked.id });
  const states = events.filter((event) => !isProgress(event));
  expect(numbersOf(viewer, states)).toEqual([1, 2, 3, 4, 5]);
});

test('starts with one event that gives the current state', async () => {
  const viewer = await fixture.newViewer();
  const third = shutAt(3);
  await fixture.run(draws(third.gate));
  const asked = await fixture.ask(viewer);
  await third.arrived;
  const stream = await fixture.subscriptions.watchGeneration(viewer, idOf(asked), plain, never);
  const [first] = await take(stream, 1);
  expect(first).toMatchObject({
    type: 'GenerationProgress',
    stage: 'DENOISING',
    step: 2,
    steps: 4,
  });
  third.open();
  expect(statesOf(await collect(stream))).toEqual(['GenerationImageReady', 'GenerationSucceeded']);
  expect(typesOf(await fixture.watchToEnd(viewer, asked))).toEqual(['GenerationSucceeded']);
});

test('with a cursor, sends exactly the events since then', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer, { settings: { ...settings, count: 2 } });
  const other = await fixture.ask(viewer);
  await fixture.run(draws());
  await Promise.all([fixture.ended(asked), fixture.ended(other)]);
  const from = (after: string) =>
    fixture.subscriptions.watchGeneration(viewer, idOf(asked), { ...plain, after }, never);
  const all = await collect(await from(encodeEventCursor(viewer.id, 0)));
  expect(statesOf(all)).toHaveLength(5);
  for (const [i, { cursor }] of all.entries()) {
    expect(await collect(await from(cursor))).toEqual(all.slice(i + 1));
  }
});

test('event numbers have no gaps or repeats with many writers, for every viewer', async () => {
  const viewer = await fixture.newViewer();
  const project = toGlobalId('Project', viewer.defaultProjectId);
  const watchAll = async () => {
    const options = { ...plain, after: encodeEventCursor(viewer.id, 0) };
    const stream = await fixture.subscriptions.watchProject(viewer, project, options, never);
    return takeUntil(stream, endsAfter(12));
  };
  const watching = [watchAll(), watchAll(), watchAll()];
  await fixture.run(draws(), { concurrency: 4 });
  const asked = await Promise.all(
    Array.from({ length: 12 }, (_, seed) =>
      fixture.ask(viewer, { settings: { ...settings, seed } }),
    ),
  );
  const canceled = asked.filter((_, i) => i % 2 === 0);
  await Promise.all(canceled.map((one) => fixture.generations.cancel(viewer, idOf(one))));
  for (const events of await Promise.all(watching)) {
    const states = events.filter((event) => !isProgress(event));
    const numbers = numbersOf(viewer, states);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  }
});

test('another user, a bad id and a bad cursor are refused before anything is sent', async () => {
  const [viewer, stranger] = [await fixture.newViewer(), await fixture.newViewer()];
  const asked = await fixture.ask(viewer);
  const watch = (who: Viewer, id: string, after: string | null) =>
    fixture.subscriptions.watchGeneration(who, id, { ...plain, after }, never);
  await expect(watch(stranger, idOf(asked), null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(watch(viewer, 'nonsense', null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const foreign = encodeEventCursor(stranger.id, 0);
  for (const after of ['', 'nonsense', foreign, `${encodeEventCursor(viewer.id, 1)}=`]) {
    await expect(watch(viewer, idOf(asked), after)).rejects.toMatchObject({ code: 'BAD_CURSOR' });
  }
});

test('a cursor that is too old or too new is answered with a reset and the current state', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer);
  const from = async (number: number) => {
    const after = encodeEventCursor(viewer.id, number);
    const options = { ...plain, after };
    return take(
      await fixture.subscriptions.watchGeneration(viewer, idOf(asked), options, never),
      2,
    );
  };
  expect(typesOf(await from(99))).toEqual(['EventsReset', 'GenerationQueued']);
  await fixture.client.event.deleteMany({ where: { ownerId: viewer.id } });
  expect(typesOf(await from(0))).toEqual(['EventsReset', 'GenerationQueued']);
});

test.each(['generation', 'project', 'owner'] as const)(
  'a viewer of one %s that misses deleted events gets a reset and the current state',
  async (scope) => {
    const viewer = await fixture.newViewer();
    const asked = await fixture.ask(viewer);
    const { subscriptions } = fixture;
    const project = toGlobalId('Project', viewer.defaultProjectId);
    const stream = await {
      generation: () => subscriptions.watchGeneration(viewer, idOf(asked), plain, never),
      project: () => subscriptions.watchProject(viewer, project, plain, never),
      owner: () => subscriptions.watchViewer(viewer, plain, never),
    }[scope]();
    await take(stream, 1);
    const { project: other } = await fixture.projects.create(viewer, { name: 'Other' });
    await fixture.ask(viewer, { projectId: toGlobalId('Project', other.id) });
    await fixture.client.event.deleteMany({ where: { ownerId: viewer.id } });
    const again = { from: {}, to: { startedAt: null }, event: 'GenerationQueued' } as const;
    await changeStatus(fixture, { id: asked.id, ...again });
    const reset = await take(stream, 2);
    expect(typesOf(reset)).toEqual(['EventsReset', 'GenerationQueued']);
    expect(reset[1]).toMatchObject({ generationId: asked.id });
    expect(numbersOf(viewer, reset)).toEqual([3, 3]);
    await stream.return();
  },
);

test('a viewer that does not read keeps the newest frame of each image, and loses no state change', async () => {
  const viewer = await fixture.newViewer();
  const last = shutAt(100);
  await fixture.run(draws(last.gate));
  const asked = await fixture.ask(viewer, { settings: { ...settings, steps: 100, count: 2 } });
  const stream = await fixture.subscriptions.watchGeneration(
    viewer,
    idOf(asked),
    { ...plain, after: encodeEventCursor(viewer.id, 0), previews: small },
    never,
  );
  await take(stream, 1);
  await last.arrived;
  const seen = await takeUntil(stream, isProgress);
  const newest = seen.at(-1);
  expect(newest).toMatchObject({ type: 'GenerationProgress' });
  expect(newest?.type === 'GenerationProgress' && newest.step).toBeGreaterThan(90);
  last.open();
  expect(statesOf([...seen, ...(await collect(stream))])).toEqual([
    'GenerationStarted',
    'GenerationImageReady',
    'GenerationImageReady',
    'GenerationSucceeded',
  ]);
});

test('the stream of a project begins with unfinished generations, and contains no others', async () => {
  const viewer = await fixture.newViewer();
  const { project } = await fixture.projects.create(viewer, { name: 'Other' });
  const projectId = toGlobalId('Project', project.id);
  const inside = await fixture.ask(viewer, { projectId });
  await fixture.ask(viewer);
  const stream = await fixture.subscriptions.watchProject(viewer, projectId, plain, never);
  expect(await take(stream, 1)).toMatchObject([{ generationId: inside.id }]);
  await fixture.run(draws());
  const events = await takeUntil(stream, ({ type }) => type === 'GenerationSucceeded');
  expect(new Set(events.map((event) => 'generationId' in event && event.generationId))).toEqual(
    new Set([inside.id]),
  );
});

/** A change whose COMMIT the database did, but did not live to answer: nobody announces it. */
async function cancelInSilence({ id: generationId, ownerId, projectId }: Generation) {
  await fixture.client.$transaction(async (tx) => {
    await tx.generation.update({ where: { id: generationId }, data: { status: 'CANCELED' } });
    await append(tx, ownerId, [{ ownerId, projectId, generationId, type: 'GenerationCanceled' }]);
  });
}

test('a change whose message was lost is found, also where a later one was announced', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const viewer = await fixture.newViewer();
  const [first, second] = [await fixture.ask(viewer), await fixture.ask(viewer)];
  const watching = await fixture.subscriptions.watchGeneration(viewer, idOf(first), plain, never);
  await take(watching, 1);
  const waiting = fixture.waitFor(second, 60, never);
  await cancelInSilence(first);
  await cancelInSilence(second);
  await fixture.ask(viewer);
  vi.advanceTimersByTime(5_000);
  expect(typesOf(await collect(watching))).toEqual(['GenerationCanceled']);
  expect((await waiting).status).toBe('CANCELED');
});

/** True at the final event that is the nth. */
function endsAfter(count: number): (event: EventView) => boolean {
  let left = count;
  return ({ type }) => {
    if (/Succeeded|Failed|Canceled/.test(type)) left -= 1;
    return left === 0;
  };
}
