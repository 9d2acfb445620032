import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Message } from '../../src/events/events.ts';
import { change } from '../../src/services/event-log/change.ts';
import { encodeEventCursor } from '../../src/services/event-log/cursor.ts';
import { toGlobalId } from '../../src/services/relay/global-id.ts';
import { never, openFixture, plain, type ServiceFixture, take } from './support/service-fixture.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

async function hear(...ownerIds: string[]): Promise<Message[]> {
  const heard: Message[] = [];
  for (const channel of ['runners' as const, ...ownerIds.map((id) => `owner:${id}` as const)]) {
    onTestFinished(await fixture.events.subscribe(channel, (message) => heard.push(message)));
  }
  return heard;
}

const nameOf = async (id: string) =>
  (await fixture.client.project.findUniqueOrThrow({ where: { id } })).name;

test('changes rows, numbers the events, and tells of them after the commit, in that order', async () => {
  const { id: ownerId, defaultProjectId: projectId } = await fixture.newViewer();
  const heard = await hear(ownerId);
  const seenAtPublish: string[] = [];
  const reached = async (point: string) => {
    if (point === 'before-commit') expect(heard).toEqual([]);
    if (point === 'before-publish') seenAtPublish.push(await nameOf(projectId));
  };
  const { client, events } = fixture;
  const made = await change({ client, events, reached }, async ({ tx, record, publish }) => {
    record({ ownerId, type: 'GenerationQueued', projectId });
    publish('runners', { type: 'queued' });
    record({ ownerId, type: 'GenerationStarted' });
    return tx.project.update({ where: { id: projectId }, data: { name: 'Changed' } });
  });
  expect(made.name).toBe('Changed');
  expect(seenAtPublish).toEqual(['Changed']);
  expect(heard).toEqual([
    { type: 'logged', ownerId, projectId, generationId: null, cursor: 1 },
    { type: 'logged', ownerId, projectId: null, generationId: null, cursor: 2 },
    { type: 'queued' },
  ]);
});

test('where it throws, nothing has changed and nobody is told', async () => {
  const { id: ownerId, defaultProjectId: projectId } = await fixture.newViewer();
  const heard = await hear(ownerId);
  const failing = change(fixture, async ({ tx, record, publish }) => {
    await tx.project.update({ where: { id: projectId }, data: { name: 'Changed' } });
    record({ ownerId, type: 'GenerationQueued' });
    publish('runners', { type: 'queued' });
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  expect(heard).toEqual([]);
  expect(await nameOf(projectId)).toBe('Default');
  expect(await fixture.client.event.count({ where: { ownerId } })).toBe(0);
});

test('changes in the logs of several users wait for each other, and none for ever', async () => {
  const viewers = [await fixture.newViewer(), await fixture.newViewer()];
  const both = (order: typeof viewers) =>
    change(fixture, async ({ record }) => {
      for (const { id: ownerId } of order) record({ ownerId, type: 'GenerationQueued' });
    });
  const turns = Array.from({ length: 10 }, (_, i) => (i % 2 ? viewers : [...viewers].reverse()));
  await Promise.all(turns.map(both));
  for (const { id: ownerId } of viewers) {
    const rows = await fixture.client.event.findMany({
      where: { ownerId },
      orderBy: { number: 'asc' },
    });
    expect(rows.map(({ number }) => Number(number))).toEqual(turns.map((_, i) => i + 1));
  }
});

test('an entry that this program cannot read moves the cursor on, and sends nothing', async () => {
  const viewer = await fixture.newViewer();
  const asked = await fixture.ask(viewer);
  await change(fixture, async ({ record }) => {
    record({ ownerId: viewer.id, type: 'GenerationStarted' }); // of no generation
  });
  await fixture.generations.cancel(viewer, toGlobalId('Generation', asked.id));
  const options = { ...plain, after: encodeEventCursor(viewer.id, 0) };
  const stream = await fixture.subscriptions.watchViewer(viewer, options, never);
  const events = await take(stream, 2);
  await stream.return();
  expect(events.map(({ type, cursor }) => [type, cursor])).toEqual([
    ['GenerationQueued', encodeEventCursor(viewer.id, 1)],
    ['GenerationCanceled', encodeEventCursor(viewer.id, 3)],
  ]);
});
