import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, checkLife, Subscriber } from '../crash/viewer.ts';
import { draws } from '../services/support/stand-in.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const clients = 20;
const generationsEach = 10;

let server: TestServer;
beforeAll(async () => {
  // A step takes a little, so that there is something to cancel.
  const step = () => new Promise((resolve) => setTimeout(resolve, 2));
  server = await startTestServer({ generate: draws(step) });
});
afterAll(() => server.close());

const generate = `mutation ($seed: Seed!) {
  generate(input: { settings: { prompt: "a boat", seed: $seed, steps: 4 } }) { generation { id } }
}`;
const cancel = `mutation ($id: ID!) {
  cancelGeneration(input: { id: $id }) { alreadyFinished generation { status } }
}`;
const status = `query ($id: ID!) { generation(id: $id) { status images { index } } }`;

test('everybody sees one gapless sequence, whatever is cancelled and whoever vanishes', async () => {
  const subscribers = await Promise.all(
    Array.from({ length: clients }, () => Subscriber.join(server.url)),
  );
  const before = subscribers.map(({ last }) => last);
  const asked: string[] = [];
  const work = subscribers.map(async (subscriber, client) => {
    for (let round = 0; round < generationsEach; round++) {
      const seed = client * 100 + round;
      const { generation } = (await ask(server.url, generate, { seed })).generate;
      asked.push(generation.id);
      if (Math.random() < 0.3) subscriber.vanish();
      if (round % 2 === 0) await ask(server.url, cancel, { id: generation.id });
    }
  });
  await Promise.all(work);
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
  for (const id of asked) {
    const life = first!.seen.filter(({ generationId }) => generationId === id);
    checkLife(life, 1);
    expect(life.at(-1)!.type).toMatch(/^Generation(Succeeded|Canceled)$/);
  }
  await Promise.all(subscribers.map((subscriber) => subscriber.leave()));
}, 180_000);

test('whoever hangs up while it waits gives its place back', async () => {
  const wait = generate
    .replace('settings', 'waitSeconds: 60, settings')
    .replace('steps: 4', 'steps: 100, count: 8');
  for (let round = 0; round < 70; round++) {
    const controller = new AbortController();
    const answer = fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: wait, variables: { seed: round } }),
      signal: controller.signal,
    });
    answer.catch(() => {});
    setTimeout(() => controller.abort(), 5);
    await answer.catch(() => {});
  }
  // More of them than there are places; yet there is one.
  const { errors } = await server.post(generate.replace('settings', 'waitSeconds: 1, settings'), {
    seed: 1,
  });
  expect(errors).toEqual([]);
});
