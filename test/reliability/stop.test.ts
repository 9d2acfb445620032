import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { House } from '../crash/house.ts';
import { ask, draw } from '../crash/viewer.ts';

// On real processes: a stop, and two starts, are about nothing else.

const house = new House();
beforeAll(async () => {
  await house.build();
  await house.start();
  await house.learn();
}, 120_000);
afterAll(() => house.tearDown());

const long = `mutation ($key: String!) {
  generate(input: { idempotencyKey: $key, settings: { prompt: "a boat", seed: 3, steps: 100, count: 8 } }) {
    generation { id status eventCursor }
  }
}`;

/** Resolves when it runs. */
async function beginLong(key: string): Promise<void> {
  const { url } = house.server!;
  const { generation } = (await ask(url, long, { key })).generate;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const query = `subscription { generationEvents(id: "${generation.id}") { __typename ... on GenerationProgress { step } } }`;
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (text) => {
      const { type, payload } = JSON.parse(String(text));
      if (type === 'connection_ack') {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      }
      if (payload?.data?.generationEvents.step > 0) resolve();
    });
  });
  closeCode = new Promise((resolve) => socket.once('close', resolve));
}

let closeCode: Promise<number>;

test('SIGTERM in the middle of a run: subscribers are told to come back, and it ends with code 0 in time', async () => {
  await beginLong('interrupted');
  const began = performance.now();
  house.server!.signal('SIGTERM');
  expect(await closeCode).toBe(1012);
  expect(await house.server!.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(house.server!.lines.join('\n')).toContain('stopping: it waits again');
}, 60_000);

test('of two starts at once on one data folder one wins, and takes up what was handed back', async () => {
  await contest();
  const { url } = house.server!;
  const generation = (await ask(url, long, { key: 'interrupted' })).generate.generation;
  const wait = `{ generation(id: "${generation.id}") { status images { index } } }`;
  await expect
    .poll(async () => (await ask(url, wait)).generation, { timeout: 90_000, interval: 200 })
    .toMatchObject({ status: 'SUCCEEDED', images: { length: 8 } });
}, 150_000);

test('of two starts at once after a kill one wins, and nothing is lost', async () => {
  const asked = house.next();
  await draw(house.server!.url, asked);
  await house.server!.kill();
  await contest();
  // The subscriber knows the house's own port.
  await house.server!.kill();
  await house.start();
  await house.verify([asked]);
}, 120_000);

test('a second SIGINT ends at once', async () => {
  await beginLong('interrupted twice');
  const began = performance.now();
  house.server!.signal('SIGINT');
  await house.server!.said('"msg":"stopping"');
  house.server!.signal('SIGINT');
  const { code, signal } = await house.server!.ended;
  // Where the first one was quicker, there was nothing left to end.
  expect(signal ?? code).toBeOneOf(['SIGKILL', 0]);
  expect(performance.now() - began).toBeLessThan(5_000);
}, 60_000);

/** Two processes, two ports, one data folder, one instant: the winner becomes the house's server. */
async function contest(): Promise<void> {
  const rival = house.beginElsewhere();
  const both = [house.begin(), await rival];
  const ends = await Promise.all(
    both.map((process) =>
      Promise.race([
        process.listening.then(() => 'listens'),
        process.ended.then(({ code }) => code),
      ]).catch(() => process.ended.then(({ code }) => code)),
    ),
  );
  expect([...ends].sort()).toEqual([1, 'listens']);
  const loser = both[ends.indexOf(1)]!;
  expect(loser.lines).toEqual([
    expect.stringMatching(
      /^easel: Expected the data folder .* to be free, but process \d+ is using it: /,
    ),
  ]);
  house.server = both[ends.indexOf('listens')]!;
}
