import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, checkLife, type SeenEvent, Subscriber } from '../crash/viewer.ts';
import { draws } from '../services/support/stand-in-engine.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const clients = 20;
const generationsEach = 10;
const maxOpenWaits = 8;

let server: TestServer;
beforeAll(async () => {
  // A step takes a little, so that there is something to cancel, also among those that wait.
  const step = () => new Promise((resolve) => setTimeout(resolve, 20));
  server = await startTestServer({ generate: draws(step), config: { maxOpenWaits } });
});
afterAll(() => server.close());

const generate = `mutation ($seed: Seed!) {
  generate(input: { settings: { prompt: "a boat", seed: $seed, steps: 4 } }) {
    generation { id eventCursor }
  }
}`;
const cancel = `mutation ($id: ID!) {
  cancelGeneration(input: { id: $id }) { alreadyFinished generation { status } }
}`;
const status = `query ($id: ID!) { generation(id: $id) { status images { index } } }`;
const life = `subscription ($id: ID!, $after: Cursor) {
  generationEvents(id: $id, after: $after) { __typename }
}`;

test('all subscribers get the same sequence without gaps, whatever is cancelled or disconnected', async () => {
  const subscribers = await Promise.all(
    Array.from({ length: clients }, () => Subscriber.join(server.url)),
  );
  const before = subscribers.map(({ last }) => last);
  const asked: string[] = [];
  const cancels: Promise<unknown>[] = [];
  /** What those who follow one generation alone were told; several follow the same one. */
  const followed = new Map<string, Promise<string[]>[]>();
  const work = subscribers.map(async (subscriber, client) => {
    for (let round = 0; round < generationsEach; round++) {
      const seed = client * 100 + round;
      const { generation } = (await ask(server.url, generate, { seed })).generate;
      asked.push(generation.id);
      if (Math.random() < 0.3) subscriber.vanish();
      if (round % 5 === 0) followed.set(generation.id, [follow(generation), follow(generation)]);
      if (round % 4 === 0) cancels.push(ask(server.url, cancel, { id: generation.id }));
      if (round % 4 === 2) cancels.push(cancelAtStep(generation, Math.random() * 4));
    }
  });
  await Promise.all(work);
  await Promise.all(cancels);
  expect(asked).toHaveLength(clients * generationsEach);

  const isOver = async (id: string) => {
    const { generation } = await ask(server.url, status, { id });
    return ['SUCCEEDED', 'CANCELED'].includes(generation.status);
  };
  for (const id of asked) {
    await expect.poll(() => isOver(id), { timeout: 60_000, interval: 20 }).toBe(true);
  }
  await Promise.all(subscribers.map((subscriber) => subscriber.catchUp(server.url)));

  const [first] = subscribers;
  const from = Math.max(...before);
  const sequence = first!.seen.filter(({ number }) => number > from);
  for (const { seen } of subscribers) {
    expect(seen.filter(({ number }) => number > from)).toEqual(sequence);
  }
  const lives = new Map<string, readonly SeenEvent[]>(
    asked.map((id) => [id, first!.seen.filter(({ generationId }) => generationId === id)]),
  );
  for (const [id, events] of lives) {
    checkLife(events, 1);
    const types = events.map(({ type }) => type);
    expect(types.at(-1)).toMatch(/^Generation(Succeeded|Canceled)$/);
    for (const told of followed.get(id) ?? []) expect(await told).toEqual(types);
  }
  const canceled = [...lives.values()].filter((events) => isCanceled(events));
  expect(canceled.some((events) => events.length === 2)).toBe(true); // While it waited,
  expect(canceled.some((events) => events.length > 2)).toBe(true); // and while it ran.
  await Promise.all(subscribers.map((subscriber) => subscriber.leave()));
}, 300_000);

type Queued = { readonly id: string; readonly eventCursor: string };

/** State changes of one generation from its first to its last. */
async function follow({ id, eventCursor }: Queued): Promise<string[]> {
  const types: string[] = [];
  for await (const { __typename } of server.subscribe(life, { id, after: eventCursor })) {
    if (__typename !== 'GenerationProgress') types.push(__typename);
  }
  return types;
}

async function cancelAtStep({ id, eventCursor }: Queued, step: number): Promise<void> {
  let steps = 0;
  for await (const { __typename } of server.subscribe(life, { id, after: eventCursor })) {
    if (__typename !== 'GenerationStarted' && __typename !== 'GenerationProgress') continue;
    if (steps++ >= step) break;
  }
  await ask(server.url, cancel, { id });
}

function isCanceled(events: readonly SeenEvent[]): boolean {
  return events.at(-1)?.type === 'GenerationCanceled';
}

test('a disconnect during waitSeconds releases the wait', async () => {
  const wait = generate
    .replace('settings', 'waitSeconds: 60, settings')
    .replace('steps: 4', 'steps: 100, count: 8');
  const controller = new AbortController();
  const waiting = Array.from({ length: maxOpenWaits }, (_, seed) =>
    fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: wait, variables: { seed } }),
      signal: controller.signal,
    }),
  );
  const hungUp = Promise.allSettled(waiting);
  const ofOneMore = async () => {
    const query = generate.replace('settings', 'waitSeconds: 1, settings');
    const { errors } = await server.post(query, { seed: 1 });
    return errors.map(({ extensions }) => extensions.code);
  };
  await expect.poll(ofOneMore, { timeout: 20_000 }).toEqual(['RATE_LIMITED']);
  controller.abort();
  await hungUp;
  await expect.poll(ofOneMore, { timeout: 20_000 }).toEqual([]);
}, 60_000);
