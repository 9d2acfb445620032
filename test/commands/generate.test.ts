import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  documents,
  type GenerateSurroundings,
  generateCommand,
  run as runHere,
} from '../../src/commands/generate.ts';
import { StartError } from '../../src/errors.ts';
import { encodePng } from '../../src/images/encode.ts';
import { readMetadata } from '../../src/images/metadata.ts';
import { drawing } from '../images/fixtures.ts';
import { writeRandomModel } from '../support/random-model.ts';
import { startTestServer } from '../support/server.ts';
import { type Script, startScriptedServer } from './scripted-server.ts';

const png = await encodePng(drawing(32, 32), 32, 32);
const generation = (count = 1) => ({
  id: 'gen-1',
  eventCursor: 'c0',
  progress: 0.5,
  settings: { seed: '7', count },
  images: Array.from({ length: count }, (_, index) => image(index)),
});
const image = (index: number) => ({ index, seed: String(7 + index), url: `/files/${index}.png` });
const event = (cursor: string, type: string, fields: object = {}) => ({
  __typename: `Generation${type}`,
  cursor,
  generation: generation(),
  ...fields,
});

let folder: string;
let closings: (() => Promise<void>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'easel-generate-'));
  closings = [() => rm(folder, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const close of closings.reverse()) await close();
});

async function serve(script: Partial<Script> = {}) {
  const server = await startScriptedServer({
    generate: () => generation(),
    async *events() {
      yield event('c1', 'Queued', { position: 1 });
      yield event('c2', 'Started');
      yield event('c2', 'Progress', { stage: 'DENOISING', step: 1, steps: 2 });
      yield event('c2', 'Progress', { stage: 'DENOISING', step: 2, steps: 2 });
      yield event('c3', 'ImageReady', { image: image(0) });
      yield event('c4', 'Succeeded');
    },
    cancel: () => {},
    files: { '0.png': png, '1.png': png, '2.png': png },
    ...script,
  });
  closings.push(server.close);
  return server;
}

/** Runs the command, and says what it wrote where. */
async function run(argv: string[], surroundings: Partial<GenerateSurroundings> = {}) {
  const written = { stdout: '', stderr: '' };
  const code = await generateCommand(argv, {
    defaultUrl: 'http://127.0.0.1:9',
    startServer: () => Promise.reject(new StartError('Expected not to be asked')),
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    env: {},
    signal: new AbortController().signal,
    ...surroundings,
  });
  return { code, ...written };
}

describe('npm run generate', () => {
  it('shows steps, saves the image and prints its path', async () => {
    const { url } = await serve();
    const result = await run(['a red boat', '--url', url, '--out', folder]);
    const path = join(folder, 'easel-7.png');
    expect(result).toEqual({
      code: 0,
      stdout: `${path}\n`,
      stderr: 'seed 7\nwaiting, number 1 in the queue\nstep 1 of 2\nstep 2 of 2\n',
    });
    expect((await readFile(path)).equals(png)).toBe(true);
  });

  it('sends only the options that were given', async () => {
    const asked: object[] = [];
    const { url } = await serve({
      generate: (settings) => {
        asked.push({ ...settings });
        return generation();
      },
    });
    await run(['a', 'boat', '--url', url, '--out', folder]);
    // A random seed in other programs: left out here.
    for (const seed of [['--seed', '-1'], ['--seed=-1']]) {
      await run(['a', 'boat', ...seed, '--url', url, '--out', folder]);
    }
    await run(
      [
        '--seed',
        '9007199254740991',
        '--steps=4',
        '--size',
        '256x192',
        'a boat',
        '--count',
        '2',
      ].concat(['--model', 'mini', '--url', url, '--out', folder]),
    );
    expect(asked).toEqual([
      { prompt: 'a boat' },
      { prompt: 'a boat' },
      { prompt: 'a boat' },
      {
        prompt: 'a boat',
        seed: '9007199254740991',
        steps: 4,
        width: 256,
        height: 192,
        count: 2,
        model: 'mini',
      },
    ]);
  });

  it('saves every image, also those whose event it missed', async () => {
    const { url } = await serve({
      generate: () => generation(3),
      async *events() {
        yield event('c1', 'ImageReady', { image: image(1) });
        yield event('c2', 'Succeeded', { generation: generation(3) });
      },
    });
    const { stdout } = await run(['boats', '--url', url, '--out', join(folder, 'boat.png')]);
    expect((await readdir(folder)).sort()).toEqual(['boat-7.png', 'boat-8.png', 'boat-9.png']);
    expect(stdout.split('\n')).toHaveLength(4);
  });

  it('does not overwrite an existing file', async () => {
    const { url } = await serve();
    await writeFile(join(folder, 'easel-7.png'), 'precious');
    const first = await run(['boat', '--url', url, '--out', folder]);
    expect(first.stdout).toBe(`${join(folder, 'easel-7-2.png')}\n`);
    const again = await run(['boat', '--url', url, '--out', folder]);
    expect(again.stdout).toBe(first.stdout);
    expect(await readFile(join(folder, 'easel-7.png'), 'utf8')).toBe('precious');
  });

  it('uses the server that runs here, or else starts one and stops it', async () => {
    const running = await serve();
    const out = ['--out', folder];
    expect((await run(['boat', ...out], { defaultUrl: running.url })).code).toBe(0);
    let closed = 0;
    const started = await run(['boat', ...out], {
      startServer: async () => ({
        url: running.url,
        close: async () => {
          closed++;
        },
      }),
    });
    expect(started).toMatchObject({ code: 0, stderr: expect.stringContaining('starting one') });
    expect(closed).toBe(1);
  });

  it('says why a server could not be started', async () => {
    expect(await run(['boat'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Expected not to be asked\n$/),
    });
  });

  it('resumes after a lost connection', async () => {
    const afters: string[] = [];
    const server = await serve({
      async *events(after) {
        afters.push(after);
        if (after === 'c0') {
          yield event('c5', 'Progress', { stage: 'DENOISING', step: 1, steps: 2 });
          server.cut();
          await new Promise(() => {});
        }
        yield event('c6', 'Succeeded');
      },
    });
    expect((await run(['boat', '--url', server.url, '--out', folder])).code).toBe(0);
    expect(afters).toEqual(['c0', 'c5']);
  });

  it('cancels the generation when interrupted, and exits with 130', async () => {
    const interrupt = new AbortController();
    const canceled: string[] = [];
    const { url } = await serve({
      async *events() {
        yield event('c1', 'Queued', { position: 3 });
        interrupt.abort();
        await new Promise(() => {});
      },
      cancel: (id) => canceled.push(id),
    });
    const result = await run(['boat', '--url', url], { signal: interrupt.signal });
    expect(result).toMatchObject({ code: 130, stderr: expect.stringMatching(/Canceled\.\n$/) });
    expect(canceled).toEqual(['gen-1']);
  });

  it("prints the server's message for a failure or a refusal", async () => {
    const failing = await serve({
      async *events() {
        yield event('c1', 'Failed', { failure: { message: 'The engine ran out of memory' } });
      },
    });
    expect(await run(['boat', '--url', failing.url])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'seed 7\nThe engine ran out of memory\n',
    });
    const refusing = await serve({
      generate: () => {
        throw new Error('Expected a model, but there is no "x"');
      },
    });
    expect(await run(['boat', '--url', refusing.url])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Expected a model, but there is no "x"\n',
    });
  });

  it('does not use a seed from the server as a path', async () => {
    const { url } = await serve({
      async *events() {
        yield event('c1', 'ImageReady', { image: { ...image(0), seed: '../../etc' } });
        yield event('c2', 'Succeeded');
      },
    });
    const { stdout } = await run(['boat', '--url', url, '--out', folder]);
    expect(stdout).toBe(`${join(folder, 'easel-image.png')}\n`);
  });

  it.each([
    [[], /Expected a prompt/],
    [[' '], /Expected a prompt/],
    [['boat', '--seed', '-2'], /Expected --seed to be a whole number from 0 .*, but got "-2"/],
    [['boat', '--seed=-2'], /Expected --seed to be a whole number from 0 to 9007199254740991/],
    [['boat', '--seed', '--count', '2'], /--seed/],
    [['boat', '--seed', '9007199254740992'], /but got "9007199254740992"/],
    [['boat', '--steps', '0'], /Expected --steps to be a whole number from 1 to 100, but got "0"/],
    [['boat', '--count', '9'], /Expected --count to be a whole number from 1 to 8, but got "9"/],
    [['boat', '--size', '256'], /Expected --size to be <width>x<height>/],
    [['boat', '--size', '8x256'], /sides from 64 to 4096, but got "8x256"/],
    [['boat', '--out', 'a.jpg'], /folder or a \.png file/],
    [['boat', '--url', 'ftp://here'], /http:\/\/ or https:\/\//],
    [['boat', '--url', 'http://127.0.0.1:9'], /Expected an Easel at http:\/\/127\.0\.0\.1:9/],
    [['boat', '--speed', '9'], /Expected an option of npm run generate, but got "--speed"/],
    [['boat', '--steps'], /--steps/],
  ])('answers %j with one sentence', async (argv, sentence) => {
    const { code, stdout, stderr } = await run(argv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  it('prints its usage for --help', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const option of ['seed', 'steps', 'size', 'count', 'model', 'out', 'url']) {
      expect(stdout).toContain(`--${option}`);
    }
  });
});

describe('with a real server', () => {
  it('generates with its options, on a server that it starts itself', async () => {
    const server = await startTestServer();
    closings.push(server.close);
    const startServer = async () => ({ url: server.url, close: async () => {} });
    const asked = { prompt: 'a red boat', steps: 3 };
    const argv = ['a red boat', '--seed', '7', '--steps', '3', '--count', '2', '--out', folder];
    const { code, stdout, stderr } = await run(argv, { startServer });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain('No Easel is running: starting one for this image.\nseed 7\n');
    expect(stderr).not.toContain('number 0');
    const paths = stdout.trimEnd().split('\n');
    expect(paths).toHaveLength(2);
    const drawn = [];
    for (const path of paths) drawn.push(readMetadata(await readFile(path)).easel?.settings);
    // Whichever is finished first comes first.
    expect(drawn).toContainEqual(expect.objectContaining({ ...asked, seed: 7 }));
    expect(drawn).toContainEqual(expect.objectContaining({ ...asked, seed: 8 }));
  });

  it('finds the server of this machine on an IPv6 address', async () => {
    const environment = { HOST: '::1', PORT: '0', DATA_DIR: join(folder, 'data') };
    const model = { MODELS_DIR: join(folder, 'models'), DEFAULT_MODEL: 'random', THREADS: '1' };
    writeRandomModel(join(folder, 'models', 'random'));
    for (const [name, value] of Object.entries({ ...environment, ...model })) {
      vi.stubEnv(name, value);
    }
    closings.push(async () => void vi.unstubAllEnvs());
    const out = join(folder, 'images');
    expect(await runHere(['a boat', '--seed', '7', '--steps', '1', '--out', out])).toBe(0);
    expect(await readdir(out)).toEqual(['easel-7.png']);
  });

  it('has documents that are valid in the printed schema', async () => {
    const printed = buildSchema(await readFile('schema.graphql', 'utf8'));
    for (const document of Object.values(documents)) {
      expect(validate(printed, parse(document))).toEqual([]);
    }
  });
});

describe('in a terminal', () => {
  const terminal = () => {
    const screen = { text: '', isTTY: true, columns: 40, write: (text: string) => text };
    screen.write = (text) => (screen.text += text);
    return screen;
  };

  it('draws a bar on one line and takes it away again', async () => {
    const { url } = await serve();
    const stderr = terminal();
    await run(['boat', '--url', url, '--out', folder], { stderr });
    expect(stderr.text).not.toContain('\n');
    expect(stderr.text).toContain('████████████░░░░░░░░░░░░  50 %  step 1');
    expect(stderr.text.endsWith('\r\x1b[2K')).toBe(true);
    const lines = stderr.text.split('\r\x1b[2K');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(40);
  });

  it.each([
    [{ TERM: 'xterm-kitty' }, 'kitty'],
    [{ KITTY_WINDOW_ID: '1' }, 'kitty'],
    [{ TERM_PROGRAM: 'WezTerm', COLORTERM: 'truecolor' }, 'kitty'],
    [{ TERM_PROGRAM: 'ghostty' }, 'kitty'],
    [{ TERM_PROGRAM: 'iTerm.app', COLORTERM: 'truecolor' }, 'iterm'],
    [{ COLORTERM: 'truecolor' }, 'blocks'],
    [{ KITTY_WINDOW_ID: '1', TMUX: '/tmp/tmux', COLORTERM: 'truecolor' }, 'blocks'],
    [{ TERM: 'xterm-256color' }, 'none'],
  ] as const)('of %j shows the image as it can: %s', async (env, way) => {
    const { url } = await serve();
    const stdout = terminal();
    await run(['boat', '--url', url, '--out', folder], { stdout, env });
    const shown = stdout.text.replace(`${join(folder, 'easel-7.png')}\n`, '');
    const base64 = png.toString('base64');
    switch (way) {
      case 'kitty': {
        const pieces = [...shown.matchAll(/\x1b_G([^;]*);([^\x1b]*)\x1b\\/g)];
        expect(pieces.map(([, , piece]) => piece).join('')).toBe(base64);
        expect(pieces[0]?.[1]).toMatch(/^f=100,a=T,q=2,m=[01]$/);
        expect(pieces.at(-1)?.[1]).toMatch(/m=0$/);
        break;
      }
      case 'iterm':
        expect(shown).toBe(`\x1b]1337;File=inline=1;size=${png.length}:${base64}\x07\n`);
        break;
      case 'blocks': {
        const rows = shown.trimEnd().split('\n');
        expect(rows).toHaveLength(20);
        expect(rows.every((row) => row.split('▀').length === 41)).toBe(true);
        expect(shown).toContain('\x1b[38;2;230;40;30m');
        break;
      }
      case 'none':
        expect(shown).toBe('');
    }
  });

  it('shows no image where the output goes into a file', async () => {
    const { url } = await serve();
    const env = { TERM: 'xterm-kitty' };
    const { stdout } = await run(['boat', '--url', url, '--out', folder], { env });
    expect(stdout).toBe(`${join(folder, 'easel-7.png')}\n`);
  });
});
