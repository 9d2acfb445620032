import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, startEasel } from '../crash/easel-process.ts';
import { copyDataFolder } from '../support/database.ts';
import { writeRandomModel } from '../support/random-model.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const names = Object.values<string>(scripts).flatMap(
  (line) => /^node scripts\/boot\.cjs (\w+)$/.exec(line)?.[1] ?? [],
);

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'easel-commands-'));
  writeRandomModel(join(folder, 'models', 'random'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `npm run <name> -- <args>` as npm does; `readLines` 0 closes the pipe before anything is read. */
function run(
  name: string,
  args: string[],
  { readLines = Number.POSITIVE_INFINITY, env = {} }: { readLines?: number; env?: object } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['scripts/boot.cjs', name, ...args], {
    cwd: root,
    env: { ...process.env, DATA_DIR: join(folder, 'data'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    ended.stdout += text;
    if (ended.stdout.split('\n').length > readLines) child.stdout.destroy();
  });
  if (readLines === 0) child.stdout.destroy();
  child.stderr.on('data', (text) => {
    ended.stderr += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...ended })));
}

describe('every command', () => {
  const helped: [string, string][] = names.map((name) => [name, '--help']);
  it.each([...helped, ['start', '-h'], ['generate', '-h']])(
    'prints its usage on standard output: %s %s',
    async (name, option) => {
      const { code, stdout, stderr } = await run(name, [option]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^Usage: npm (run )?${name}`));
    },
  );

  it.each(names)('refuses an option that it does not know, in one sentence: %s', async (name) => {
    const { code, stdout, stderr } = await run(name, ['--frobnicate']);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('"--frobnicate"');
    expect(stderr).toContain('--help');
  });

  it.each(['start', 'doctor', 'migrate'])(
    'refuses words that it does not know: %s',
    async (name) => {
      const { code, stderr } = await run(name, ['one', 'two']);
      expect(code).toBe(1);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
  );
});

describe('a command whose reader is gone', () => {
  it('ends quietly while it prints its help', async () => {
    const { stderr } = await run('generate', ['--help'], { readLines: 0 });
    expect(stderr).toBe('');
  });

  it('ends quietly, and its server with it', async () => {
    const port = await freePort();
    const env = {
      PORT: String(port),
      DATA_DIR: join(folder, 'closed'),
      MODELS_DIR: join(folder, 'models'),
      DEFAULT_MODEL: 'random',
      THREADS: '1',
    };
    const args = ['a boat', '--count', '3', '--steps', '2', '--out', folder];
    const { stderr } = await run('generate', args, { readLines: 1, env });
    expect(stderr).not.toMatch(/EPIPE|at .*\.(ts|js):\d/);
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
  });
});

describe('npm run generate', () => {
  it('finds the server that uses the data folder, on whichever port, and names it', async () => {
    const [port, other] = [await freePort(), await freePort()];
    const dataDir = join(folder, 'shared');
    await copyDataFolder(dataDir);
    const modelsDir = join(folder, 'models');
    const server = startEasel({ port, dataDir, modelsDir });
    try {
      await server.listening;
      const env = { PORT: String(other), DATA_DIR: dataDir, MODELS_DIR: modelsDir };
      const args = ['a boat', '--steps', '1', '--seed', '3', '--out', folder];
      const { code, stdout, stderr } = await run('generate', args, { env });
      expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(folder, 'easel-3.png')}\n` });
      expect(stderr).toContain(server.url);
    } finally {
      server.signal('SIGTERM');
      await server.ended;
    }
  });

  it('takes --seed -1 as a random seed', async () => {
    const port = await freePort();
    const dataDir = join(folder, 'seeds');
    await copyDataFolder(dataDir);
    const server = startEasel({ port, dataDir, modelsDir: join(folder, 'models') });
    try {
      await server.listening;
      const url = server.url;
      for (const seed of [['--seed', '-1'], ['--seed=-1']]) {
        const args = ['a boat', '--steps', '1', ...seed, '--url', url, '--out', folder];
        const { code, stdout } = await run('generate', args);
        expect(code).toBe(0);
        expect(stdout).toMatch(/easel-\d+\.png/);
      }
      const refused = await run('generate', ['a boat', '--seed', '-2', '--url', url]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/--seed.*0 to 9007199254740991.*random.*-2/);
    } finally {
      server.signal('SIGTERM');
      await server.ended;
    }
  });
});
