import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type EaselEnvironment, freePort, startEasel } from '../crash/easel-process.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-start-'));
const modelsDir = join(folder, 'models');
writeRandomModel(join(modelsDir, 'random'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of a start that must fail: its code and all it says. */
async function failure(environment: Partial<EaselEnvironment>) {
  const port = environment.port ?? (await freePort());
  const process = startEasel({ dataDir: join(folder, 'data'), modelsDir, ...environment, port });
  const { code } = await process.ended;
  return { code, said: process.lines };
}

const oneSentence = (pattern: RegExp) => ({ code: 1, said: [expect.stringMatching(pattern)] });

test('on a port that is taken', async () => {
  const other = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  expect(await failure({ port })).toEqual(
    oneSentence(
      /^easel: Expected to listen on 127\.0\.0\.1:\d+, but another program uses it: stop/,
    ),
  );
  other.close();
});

test('on a data folder that is a file, and on one that is not writable', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const isFile =
    /^easel: Expected to write to the data folder .*, but it is, or lies below, a file/;
  expect(await failure({ dataDir: file })).toEqual(oneSentence(isFile));
  expect(await failure({ dataDir: join(file, 'data') })).toEqual(oneSentence(isFile));
  expect(await failure({ dataDir: '/proc/easel/data' })).toEqual(
    oneSentence(/^easel: Expected to write to the data folder \/proc\/easel\/data, but /),
  );
});

// To mount takes root, as containers have it.
const disk = join(folder, 'disk');
mkdirSync(disk);
// Only the superuser may mount, and not in every container.
const canMount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', disk]).status === 0;
if (canMount) spawnSync('umount', [disk]);

test.skipIf(!canMount).each([
  ['ro', /^easel: Expected to write to the data folder .*, but its disk is read-only/],
  [
    'size=1m',
    /^easel: Expected at least \d+ MB free on the disk of the data folder .*, but got 1 MB/,
  ],
])('on a disk that is mounted with %s', async (option, sentence) => {
  spawnSync('mount', ['-t', 'tmpfs', '-o', option, 'tmpfs', disk]);
  try {
    expect(await failure({ dataDir: join(disk, 'data') })).toEqual(oneSentence(sentence));
  } finally {
    spawnSync('umount', [disk]);
  }
});

test('on weights that are truncated or missing, and on an unknown model', async () => {
  const broken = join(folder, 'broken');
  const weights = join(broken, 'random', 'vae', 'diffusion_pytorch_model.safetensors');
  cpSync(modelsDir, broken, { recursive: true });
  truncateSync(weights, 20_000);
  expect(await failure({ modelsDir: broken })).toEqual(
    oneSentence(
      /^easel: Expected the model "random", but it cannot be used: .*20000 bytes \(cut off\?\)/,
    ),
  );
  rmSync(weights);
  expect(await failure({ modelsDir: broken })).toEqual(
    oneSentence(/^easel: Expected the model "random", but it cannot be used: .*but got neither/),
  );
  expect(await failure({ more: { DEFAULT_MODEL: 'nothing' } })).toEqual(
    oneSentence(/^easel: Expected the model "nothing", but there is none \(usable: .*random/),
  );
  expect(await failure({ modelsDir: join(folder, 'none') })).toEqual(
    oneSentence(/^easel: Expected a folder of models at .*, but got none/),
  );
});
