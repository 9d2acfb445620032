import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { idOf, never, openFixture, type ServiceFixture } from './support/service-fixture.ts';
import { draws } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture({ maxOpenWaits: 2 });
});
afterEach(() => fixture.clear());
afterAll(() => fixture.close());

const input = { settings: { prompt: 'a boat' }, waitSeconds: 60 };

test('answers when the generation has ended', async () => {
  const viewer = await fixture.newViewer();
  await fixture.run(draws());
  const { generation } = await fixture.generations.request(viewer, input, never);
  expect(generation.status).toBe('SUCCEEDED');
});

test('answers when it is cancelled, and when the time is up', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer);
  const late = await fixture.waitFor(asked, 0.01, never);
  expect(late.status).toBe('QUEUED');
  const waiting = fixture.waitFor(asked, 60, never);
  await fixture.generations.cancel(viewer, idOf(asked));
  expect((await waiting).status).toBe('CANCELED');
});

test('open waits are limited, before anything is queued; who hangs up frees a place', async () => {
  const viewer = await fixture.newViewer();
  const caller = new AbortController();
  const held = [0, 1].map(() => fixture.generations.request(viewer, input, caller.signal));
  await expect(fixture.generations.request(viewer, input, never)).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    details: { max: 2 },
  });
  caller.abort();
  for (const { generation } of await Promise.all(held)) expect(generation.status).toBe('QUEUED');
  expect((await fixture.queue.count()).waiting).toBe(2);
  await fixture.run(draws());
  const { generation } = await fixture.generations.request(viewer, input, never);
  expect(generation.status).toBe('SUCCEEDED');
});
