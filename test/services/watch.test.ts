import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Generation } from '../../src/generated/prisma/client.ts';
import type { Viewer } from '../../src/services/access/viewer.ts';
import { decodeEventCursor, encodeEventCursor } from '../../src/services/event-log/cursor.ts';
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
  events.map(({ cursor }) => decodeEventCursor(viewer.id, cursor));
const isProgress = ({ type }: EventView) => type === 'GenerationProgress';

test('tells the whole life of a generation, and ends after its final event', async () => {
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

test('starts with the one event that says how things stand', async () => {
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

test('goes on after a cursor with exactly what came since', async () => {
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

test('numbers are without gap or repeat under many writers, for every viewer', async () => {
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

test('a stranger, a bad id and a bad cursor are refused before anything is sent', async () => {
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

test('a cursor that is too old, or not reached yet, is answered with a reset and the state', async () => {
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
  'a viewer of one %s that is slower than the log is kept is told so, and how things stand',
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

test('computes and encodes no frame where nobody looks', async () => {
  const viewer = await fixture.newViewer();
  const before = { ...fixture.frames() };
  await fixture.run(draws());
  await fixture.ended(await fixture.ask(viewer));
  const watched = await fixture.ask(viewer);
  const events = await fixture.watchToEnd(viewer, watched);
  expect(fixture.frames()).toEqual(before);
  for (const event of events)
    if (event.type === 'GenerationProgress') expect(event.previews).toEqual([]);
});

test('two viewers of different sizes get their own; two of the same share', async () => {
  const viewer = await fixture.newViewer();
  const before = { ...fixture.frames() };
  const first = shutAt(1);
  const second = shutAt(2);
  await fixture.run(
    draws((request, step) => first.gate(request, step) ?? second.gate(request, step)),
  );
  const asked = await fixture.ask(viewer);
  await first.arrived;
  const watch = (maxSize: number | null) =>
    fixture.subscriptions.watchGeneration(
      viewer,
      idOf(asked),
      { ...plain, previews: { ...small, maxSize } },
      never,
    );
  const streams = await Promise.all([watch(null), watch(16), watch(16), watch(1000)]);
  // Each has had the state as it stands: so each is listening.
  for (const stream of streams) await take(stream, 1);
  first.open();
  const frames = await Promise.all(
    streams.map(async (stream) => {
      const events = await takeUntil(
        stream,
        (event) => event.type === 'GenerationProgress' && event.previews.length > 0,
      );
      const last = events.at(-1);
      return last?.type === 'GenerationProgress' ? last.previews[0] : undefined;
    }),
  );
  // The last one asks for more than the image has.
  expect(frames.map((frame) => frame?.width)).toEqual([8, 16, 16, 64]);
  expect(frames[0]?.dataUrl).toMatch(/^data:image\/webp;base64,/);
  expect(frames[1]).toEqual(frames[2]);
  const { framesComputed, framesEncoded } = fixture.frames();
  expect(framesComputed - before.framesComputed).toBe(1);
  expect(framesEncoded - before.framesEncoded).toBe(3);
  for (const stream of streams) await stream.return();
  second.open();
  await fixture.ended(asked);
  expect(fixture.frames().framesComputed).toBe(framesComputed);
});

test('gives a viewer at most one frame of an image in the time it asked for', async () => {
  const viewer = await fixture.newViewer();
  await fixture.run(draws());
  const asked = await fixture.ask(viewer, { settings: { ...settings, steps: 50 } });
  const watch = async (everyMs: number) => {
    const previews = { ...small, everyMs };
    const stream = await fixture.subscriptions.watchGeneration(
      viewer,
      idOf(asked),
      { ...plain, previews },
      never,
    );
    const events = await collect(stream);
    return events.flatMap((event) => (event.type === 'GenerationProgress' ? event.previews : []));
  };
  const [all, few] = await Promise.all([watch(0), watch(60_000)]);
  expect(few.length).toBeLessThanOrEqual(1);
  expect(all.length).toBeGreaterThanOrEqual(few.length);
});

test('a viewer that does not read holds the newest of each image, and no state change is lost', async () => {
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

test('a viewer that leaves while it waits is gone at once, and no frames are made for it', async () => {
  const viewer = await fixture.newViewer();
  const controller = new AbortController();
  const asked = await fixture.ask(viewer);
  const options = { ...plain, previews: small };
  const watch = (signal: AbortSignal) =>
    fixture.subscriptions.watchGeneration(viewer, idOf(asked), options, signal);
  const [left, aborted] = await Promise.all([watch(never), watch(controller.signal)]);
  await Promise.all([take(left, 1), take(aborted, 1)]);
  const waiting = [left.next(), aborted.next()];
  controller.abort();
  await left.return();
  for (const next of await Promise.all(waiting)) expect(next.done).toBe(true);
  const before = fixture.frames().framesComputed;
  await fixture.run(draws());
  await fixture.ended(asked);
  expect(fixture.frames().framesComputed).toBe(before);
});

test('a project begins with what is not final, and tells of its own generations only', async () => {
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
    await append(tx, { ownerId, projectId, generationId, type: 'GenerationCanceled' });
  });
}

test('a change that nobody announced is found out, also where a later one was announced', async () => {
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
