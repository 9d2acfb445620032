import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { PreviewOptions } from '../../src/services/subscriptions/frames.ts';
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

test('computes and encodes no frame where no viewer selects previews', async () => {
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

test('viewers get frames of their size, and share the encoding of the same size', async () => {
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

test('a stream that is ended while it waits ends at once, and no frames are computed for it', async () => {
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
