import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { openDatabase } from '../../src/database/client.ts';
import type { Generate } from '../../src/inference/request.ts';
import { type EaselProcess, freePort, startEasel } from '../crash/easel-process.ts';
import { Harness } from '../crash/harness.ts';
import { ask, draw } from '../crash/viewer.ts';
import { draws, shutAt } from '../services/support/stand-in-engine.ts';
import { copyDataFolder } from '../support/database.ts';
import { writeRandomModel } from '../support/random-model.ts';
import { startTestServer } from '../support/server.ts';

// Mostly on real processes: a stop, and two starts, are about nothing else.

const harness = new Harness();
const folder = mkdtempSync(join(tmpdir(), 'easel-stops-'));
/** Whose networks compute long enough to be met in the middle of it. */
const models = join(folder, 'models');
beforeAll(async () => {
  const text = { textWidth: 256, textLayers: 24 };
  writeRandomModel(join(models, 'slow'), { ...text, size: 1024, vaeChannels: [32, 32, 32, 32] });
  writeRandomModel(join(models, 'slower'), { size: 512, vaeChannels: [64, 64, 64, 64] });
  await harness.build();
  await harness.start();
  await harness.learn();
}, 120_000);
afterAll(async () => {
  await harness.tearDown();
  rmSync(folder, { recursive: true });
});

const generate = `mutation ($key: String!, $settings: SettingsInput!) {
  generate(input: { idempotencyKey: $key, settings: $settings }) {
    generation { id status eventCursor }
  }
}`;
const long = { prompt: 'a boat', seed: 3, steps: 100, count: 8 };
/** For the slow model: seconds in the VAE, and tenths of one in T5. */
const slow = { prompt: 'boat '.repeat(290), negativePrompt: 'cat '.repeat(290), steps: 1 };

type Progress = { readonly stage: string; readonly step: number };

/** Resolves when an event is as awaited; gives what the socket is closed with, later. */
async function beginAt(
  url: string,
  variables: { key: string; settings: object },
  isAwaited: (progress: Progress) => boolean,
): Promise<{ closeCode: Promise<number> }> {
  const { generation } = (await ask(url, generate, variables)).generate;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const query = `subscription { generationEvents(id: "${generation.id}") { __typename ... on GenerationProgress { stage step } } }`;
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (text) => {
      const { type, payload } = JSON.parse(String(text));
      if (type === 'connection_ack') {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      }
      if (isAwaited(payload?.data?.generationEvents ?? {})) resolve();
    });
  });
  return { closeCode: new Promise((resolve) => socket.once('close', resolve)) };
}

test('SIGTERM during a run closes subscriptions with 1012 and exits with 0 in time', async () => {
  const { url } = harness.server!;
  const { closeCode } = await beginAt(
    url,
    { key: 'interrupted', settings: long },
    ({ step }) => step > 0,
  );
  const began = performance.now();
  harness.server!.signal('SIGTERM');
  expect(await closeCode).toBe(1012);
  expect(await harness.server!.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(harness.server!.lines.join('\n')).toContain('stopping: queued again');
}, 60_000);

test('of two simultaneous starts on one data folder one wins, and runs the queued generations', async () => {
  await contest();
  const { url } = harness.server!;
  const generation = (await ask(url, generate, { key: 'interrupted', settings: long })).generate
    .generation;
  const wait = `{ generation(id: "${generation.id}") { status images { index } } }`;
  await expect
    .poll(async () => (await ask(url, wait)).generation, { timeout: 90_000, interval: 200 })
    .toMatchObject({ status: 'SUCCEEDED', images: { length: 8 } });
}, 150_000);

test('of two simultaneous starts after a kill one wins, and nothing is lost', async () => {
  const asked = harness.next();
  await draw(harness.server!.url, asked);
  await harness.server!.kill();
  await contest();
  // The subscriber knows the harness's own port.
  await harness.server!.kill();
  await harness.start();
  await harness.verify([asked]);
}, 120_000);

async function startSlow(name: string, more: Record<string, string> = {}): Promise<EaselProcess> {
  const dataDir = join(folder, name);
  await copyDataFolder(dataDir);
  const port = await freePort();
  const environment = { port, dataDir, modelsDir: models };
  const process = startEasel({ ...environment, more: { DEFAULT_MODEL: 'slow', ...more } });
  onTestFinished(async () => {
    process.signal('SIGKILL');
    await process.ended;
  });
  await process.listening;
  return process;
}

test.each(['ENCODING', 'DECODING'])(
  'SIGTERM while a network runs that is not the transformer (%s): it ends with code 0',
  async (stage) => {
    const server = await startSlow(stage);
    await beginAt(server.url, { key: 'a', settings: slow }, (progress) => progress.stage === stage);
    server.signal('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.lines.join('\n')).toContain('stopping: queued again');
  },
  120_000,
);

test('a second SIGINT ends the process at once', async () => {
  const server = await startSlow('twice', { STOP_TIMEOUT_SECONDS: '60' });
  await beginAt(server.url, { key: 'a', settings: slow }, ({ stage }) => stage === 'DECODING');
  server.signal('SIGINT');
  await server.said('"msg":"stopping"');
  server.signal('SIGINT');
  expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' });
}, 120_000);

test('npm run generate, interrupted during a run that is longer than a stop may take, leaves no core file', async () => {
  const { href } = new URL('../../dist/commands/generate.js', import.meta.url);
  const program = join(folder, 'generate.mjs');
  writeFileSync(
    program,
    `import { run } from '${href}';\nprocess.exit(await run(process.argv.slice(2)));\n`,
  );
  const argv = [program, 'a boat', '--steps', '1', '--out', folder];
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      DATA_DIR: join(folder, 'generate'),
      MODELS_DIR: models,
      DEFAULT_MODEL: 'slower',
      PROVIDER: 'cpu',
      THREADS: '1',
      STOP_TIMEOUT_SECONDS: '1',
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stderr })) {
    if (line === 'decoding the image') child.kill('SIGINT');
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
}, 120_000);

test('a database that no longer answers delays a stop by a bounded time', async () => {
  const dataDir = join(folder, 'elsewhere');
  await copyDataFolder(dataDir);
  const database = await openDatabase({ dataDir });
  const relay = await startRelay(join(database.connection.host!, '.s.PGSQL.5432'));
  const server = await startSlow('frozen', {
    DATABASE_URL: `postgresql://postgres@127.0.0.1:${relay.port}/postgres`,
    STOP_TIMEOUT_SECONDS: '1',
  });
  relay.freeze();
  server.signal('SIGTERM');
  expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(server.lines.at(-1)).toContain('the stop takes too long');
  relay.close();
  await database.close();
}, 120_000);

test('stops during a run that does not end do not count as attempts of its generation', async () => {
  const config = { dataDir: join(folder, 'three-stops'), stopTimeoutMs: 100 };
  const deaf = () => {
    const { gate, arrived } = shutAt(1);
    const never = new AbortController().signal;
    const engine: Generate = (request) => draws(gate)(request, { signal: never });
    return { engine, arrived };
  };
  for (let stop = 1; stop <= 3; stop++) {
    const { engine, arrived } = deaf();
    const server = await startTestServer({ generate: engine, config });
    await server.gql(generate, { key: 'a', settings: { prompt: 'a boat' } });
    await arrived;
    expect(await server.app.close()).toBe(false);
    await server.close();
  }
  const server = await startTestServer({ generate: draws(), config });
  onTestFinished(() => server.close());
  const { generation } = (await server.gql(generate, { key: 'a', settings: { prompt: 'a boat' } }))
    .generate;
  const query = `{ generation(id: "${generation.id}") { status } }`;
  await expect
    .poll(async () => (await server.gql(query)).generation.status, { timeout: 30_000 })
    .toBe('SUCCEEDED');
}, 180_000);

/** Between a client and a socket; frozen, it holds all connections and carries nothing. */
async function startRelay(path: string) {
  const sockets: Socket[] = [];
  const relay = createServer((caller) => {
    const called = connect(path);
    sockets.push(caller, called);
    caller.pipe(called).pipe(caller);
    for (const socket of [caller, called]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  if (address === null || typeof address === 'string') throw new Error('Expected a port');
  return {
    port: address.port,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close() {
      relay.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Two processes, two ports, one data folder, one instant: the winner becomes the harness's server. */
async function contest(): Promise<void> {
  const rival = harness.beginElsewhere();
  const both = [harness.begin(), await rival];
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
  harness.server = both[ends.indexOf('listens')]!;
}
