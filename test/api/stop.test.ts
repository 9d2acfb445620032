import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { writeRandomModel } from '../support/random-model.ts';
import { all, startTestServer } from '../support/server.ts';
import { createStepwise } from '../support/stepwise.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-stop-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const generate =
  'mutation ($input: GenerateInput!) { generate(input: $input) { generation { id status } } }';
const settings = { prompt: 'a boat', seed: '5' };

describe('a stop', () => {
  it('closes subscriptions with 1012, answers open waits, and queues running generations again', async () => {
    const dataDir = join(folder, 'handed-back');
    const engine = createStepwise();
    const first = await startTestServer({ generate: engine.generate, config: { dataDir } });
    const waiting = first.gql(generate, { input: { settings, waitSeconds: 60 } });
    await engine.started();
    const socket = new WebSocket(
      `${first.url.replace('http', 'ws')}/graphql`,
      'graphql-transport-ws',
    );
    await once(socket, 'open');
    const closed = once(socket, 'close');
    socket.send('{"type":"connection_init"}');
    await once(socket, 'message');
    socket.send(
      '{"id":"1","type":"subscribe","payload":{"query":"subscription { viewerEvents { cursor } }"}}',
    );
    await once(socket, 'message');

    await first.close();
    expect((await closed)[0]).toBe(1012);
    const { generation } = (await waiting).generate;
    expect(['RUNNING', 'QUEUED']).toContain(generation.status);

    const next = createStepwise();
    next.release();
    const second = await startTestServer({ generate: next.generate, config: { dataDir } });
    onTestFinished(() => second.close());
    const seen = await all(
      second.subscribe('subscription ($id: ID!) { generationEvents(id: $id) { __typename } }', {
        id: generation.id,
      }),
    );
    expect(seen.at(-1)).toEqual({ __typename: 'GenerationSucceeded' });
  }, 180_000);
});

describe('the program', () => {
  it('prints its address, exits with 0 on SIGTERM, and prints one sentence where it cannot start', async () => {
    const program = start({ PORT: '0', DATA_DIR: join(folder, 'one') });
    const { url } = await listening(program.child);
    const { port } = new URL(url);
    const ready = await fetch(`${url}/ready`);
    expect(await ready.json()).toMatchObject({ status: 'ready', database: 'ok', engine: 'ok' });

    const samePort = start({ PORT: port, DATA_DIR: join(folder, 'two') });
    const sameFolder = start({ PORT: '0', DATA_DIR: join(folder, 'one') });
    const badConfig = start({ PORT: 'x', THREADS: 'y' });
    const [portFault, folderFault, configFault] = await Promise.all(
      [samePort, sameFolder, badConfig].map(({ ended }) => ended),
    );
    expect(portFault).toMatchObject({ code: 1 });
    expect(portFault?.stderr).toMatch(
      new RegExp(`^easel: Expected to listen on .*:${port}, but .*PORT.*\\n$`),
    );
    expect(folderFault).toMatchObject({ code: 1 });
    expect(folderFault?.stderr).toMatch(
      /^easel: Expected the data folder .* to be free, but process \d+ .*\n$/,
    );
    expect(configFault).toMatchObject({ code: 1 });
    expect(configFault?.stderr).toMatch(/^easel: .*PORT.*THREADS.*\n$/);

    program.child.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0 });
  }, 180_000);
});

type Ended = { code: number | null; stderr: string };

function start(env: Record<string, string>): { child: ChildProcess; ended: Promise<Ended> } {
  const modelsDir = join(folder, 'models');
  writeRandomModel(join(modelsDir, 'random'));
  const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, MODELS_DIR: modelsDir, DEFAULT_MODEL: 'random', THREADS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, stderr }));
  return { child, ended };
}

async function listening(child: ChildProcess): Promise<{ url: string }> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const entry = JSON.parse(line);
    if (entry.msg === 'listening') {
      child.stdout?.resume();
      return entry;
    }
  }
  throw new Error('Expected the program to listen, but it ended');
}
