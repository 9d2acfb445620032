import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Atelier, idOf, never, openAtelier } from './support/service-fixture.ts';
import { draws } from './support/stand-in-engine.ts';

let atelier: Atelier;
beforeAll(async () => {
  atelier = await openAtelier({ maxOpenWaits: 2 });
});
afterEach(() => atelier.clear());
afterAll(() => atelier.close());

const input = { settings: { prompt: 'a boat' }, waitSeconds: 60 };

test('answers when the generation has ended', async () => {
  const viewer = await atelier.newViewer();
  await atelier.run(draws());
  const { generation } = await atelier.generations.request(viewer, input, never);
  expect(generation.status).toBe('SUCCEEDED');
});

test('answers when it is cancelled, and when the time is up', async () => {
  const viewer = await atelier.newViewer();
  const asked = await atelier.ask(viewer);
  const late = await atelier.generations.waitFor(viewer, idOf(asked), 0.01, never);
  expect(late.status).toBe('QUEUED');
  const waiting = atelier.generations.waitFor(viewer, idOf(asked), 60, never);
  await atelier.generations.cancel(viewer, idOf(asked));
  expect((await waiting).status).toBe('CANCELED');
});

test('open waits are limited, before anything is queued; who hangs up frees a place', async () => {
  const viewer = await atelier.newViewer();
  const caller = new AbortController();
  const held = [0, 1].map(() => atelier.generations.request(viewer, input, caller.signal));
  await expect(atelier.generations.request(viewer, input, never)).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    details: { max: 2 },
  });
  caller.abort();
  for (const { generation } of await Promise.all(held)) expect(generation.status).toBe('QUEUED');
  expect((await atelier.generations.queue()).waiting).toBe(2);
  await atelier.run(draws());
  const { generation } = await atelier.generations.request(viewer, input, never);
  expect(generation.status).toBe('SUCCEEDED');
});
