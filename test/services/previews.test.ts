import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createPreviewLeases } from '../../src/services/runner/preview-leases.ts';
import { createPreviewRequests } from '../../src/services/subscriptions/preview-requests.ts';
import {
  collect,
  idOf,
  never,
  openFixture,
  plain,
  type ServiceFixture,
  take,
} from './support/service-fixture.ts';
import { draws, shutAt } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const webp = { format: 'WEBP', maxSize: null } as const;

test('a read of the latest previews counts as watching: the next one gets frames', async () => {
  const viewer = await fixture.newViewer();
  const [first, second] = [shutAt(1), shutAt(3)];
  await fixture.run(draws((request, at) => first.gate(request, at) ?? second.gate(request, at)));
  const asked = await fixture.ask(viewer);
  await first.arrived;
  const read = () => fixture.subscriptions.latestPreviews(viewer, asked, webp);
  expect(await read()).toEqual([]);
  first.open();
  await second.arrived;
  expect(await read()).toMatchObject([{ index: 0, step: 2, width: 8 }]);
  expect(
    await fixture.subscriptions.latestPreviews(await fixture.newViewer(), asked, webp),
  ).toEqual([]);
  second.open();
  await fixture.ended(asked);
  expect(await read()).toEqual([]);
});

test('a runner that starts later draws previews for viewers that were there before', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer);
  const previews = { ...webp, everyMs: 0 };
  const options = { ...plain, previews };
  const stream = await fixture.subscriptions.watchGeneration(viewer, idOf(asked), options, never);
  await take(stream, 1);
  await fixture.run(draws());
  const events = await collect(stream);
  const frames = events.flatMap((event) =>
    event.type === 'GenerationProgress' ? event.previews : [],
  );
  expect(frames.length).toBeGreaterThan(0);
});

const generation = { id: 'g', projectId: 'p', ownerId: 'o' };

test('previews are wanted until the last viewer leaves, at the pace of the most demanding one', async () => {
  const leases = createPreviewLeases();
  const { events } = fixture;
  onTestFinished(
    await events.subscribe('runners', (message) => {
      if (message.type === 'previews-wanted') leases.receive(message);
    }),
  );
  const requests = createPreviewRequests(events);
  const slow = requests.want({ type: 'generation', id: 'g' }, 500);
  expect(leases.everyMsFor(generation)).toBe(500);
  const fast = requests.want({ type: 'generation', id: 'g' }, 100);
  const wide = requests.want({ type: 'owner', id: 'o' }, 250);
  expect(leases.everyMsFor(generation)).toBe(100);
  expect(leases.everyMsFor({ ...generation, ownerId: 'another', id: 'h' })).toBeNull();
  fast();
  fast();
  expect(leases.everyMsFor(generation)).toBe(250);
  wide();
  expect(leases.everyMsFor(generation)).toBe(500);
  slow();
  expect(leases.everyMsFor(generation)).toBeNull();
});

test('previews are not drawn for a process that has died: its lease ends', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const leases = createPreviewLeases();
  let changes = 0;
  leases.onChange(() => {
    changes += 1;
  });
  const { events } = fixture;
  onTestFinished(
    await events.subscribe('runners', (message) => {
      if (message.type === 'previews-wanted') leases.receive(message);
    }),
  );
  const requests = createPreviewRequests(events);
  requests.want({ type: 'project', id: 'p' }, 250);
  vi.advanceTimersByTime(60_000);
  expect(leases.everyMsFor(generation)).toBe(250);
  requests.close(); // It renews nothing any more, and says nothing either.
  vi.advanceTimersByTime(60_000);
  expect(leases.everyMsFor(generation)).toBeNull();
  expect(changes).toBe(2);
});
