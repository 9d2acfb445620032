import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/inference/engine/engine.ts';
import { openCatalog } from '../../src/inference/models/listing.ts';
import { writeRandomModel } from '../support/random-model.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'easel-odd-')));
const original = writeRandomModel(join(root, 'original'));
let models: string;
let count = 0;

beforeEach(() => {
  models = join(root, `models-${++count}`);
  mkdirSync(models);
});
afterAll(() => rmSync(root, { recursive: true }));

/** Every file of a model. */
const files = readdirSync(original, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(original.length + 1));

/** A model of links to the original, but for one file: where that one should be. */
function withoutFile(name: string, missing: string): string {
  const folder = join(models, name);
  mkdirSync(join(folder, dirname(missing)), { recursive: true });
  for (const entry of [...readdirSync(original), ...files]) {
    const path = join(folder, entry);
    const isElsewhere = entry !== missing && entry !== dirname(missing);
    if (isElsewhere && !existsSync(path)) symlinkSync(join(original, entry), path);
  }
  return join(folder, missing);
}

/** What can be in the place of a file. */
const contents: Record<string, (path: string) => void> = {
  'a folder': (path) => mkdirSync(path),
  'a named pipe': (path) => void execFileSync('mkfifo', [path]),
  'a device': (path) => symlinkSync('/dev/zero', path),
  'a link to nowhere': (path) => symlinkSync(join(root, 'nowhere'), path),
  'a link to itself': (path) => symlinkSync(path, path),
  'an empty file': (path) => writeFileSync(path, ''),
  '10 MB of nested lists': (path) => writeFileSync(path, '['.repeat(10 * 2 ** 20)),
  '10 MB of nested objects': (path) => writeFileSync(path, '{"a":'.repeat(2 * 2 ** 20)),
  'one string of 10 MB': (path) => writeFileSync(path, `{"a":"${'\\"'.repeat(5 * 2 ** 20)}"}`),
  'text that is not UTF-8': (path) =>
    writeFileSync(path, Buffer.from('{"a":"\xff\xfe"}', 'latin1')),
  'a list': (path) => writeFileSync(path, '[]'),
  null: (path) => writeFileSync(path, 'null'),
};

/** Files that a model can do without, or that none of its images depend on. */
const optional = new Set(['easel.json', 'model_index.json', 'tokenizer/tokenizer_config.json']);

describe.each(Object.entries(contents))('%s', (what, make) => {
  it('in place of any file of a model leaves the other models in the list, and gives the reason', async () => {
    for (const [index, file] of files.entries()) make(withoutFile(`m${index}`, file));
    cpSync(original, join(models, 'whole'), { recursive: true });
    const { listings } = await openCatalog([models]);
    expect(listings).toHaveLength(files.length + 1);
    expect(listings.at(-1)?.description).toMatchObject({ name: 'whole', available: true });
    for (const { description, found } of listings.slice(0, -1)) {
      const file = files[Number(description.name.slice(1))]!;
      const isMissing = what === 'a link to nowhere';
      const isUsable =
        file === 'tokenizer/tokenizer_config.json' || (isMissing && optional.has(file));
      expect([file, description.available]).toEqual([file, isUsable]);
      if (isUsable) continue;
      expect(description.unavailableReason).toMatch(/^Expected /);
      expect(description.unavailableReason).not.toContain(found.folder);
      expect(Buffer.byteLength(description.unavailableReason!)).toBeLessThanOrEqual(300);
    }
  });
});

it('numbers of any size in any configuration leave the list whole', async () => {
  const numbers = [0, -1, 0.5, 1e9, 2 ** 53, 1e300, '1e999'];
  let index = 0;
  const spread = (value: unknown, number: unknown): unknown => {
    if (typeof value === 'number') return number;
    if (Array.isArray(value)) return value.map((item) => spread(item, number));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, spread(item, number)]),
    );
  };
  const configs = files.filter((file) => file.endsWith('.json'));
  for (const file of configs) {
    const value = JSON.parse(readFileSync(join(original, file), 'utf8')) as Record<string, unknown>;
    const keys = Object.keys(value).filter(
      (key) => JSON.stringify(value[key]) !== JSON.stringify(spread(value[key], 'x')),
    );
    for (const key of keys) {
      for (const number of numbers) {
        const text = JSON.stringify({ ...value, [key]: spread(value[key], '#') });
        writeFileSync(withoutFile(`m${index++}`, file), text.replaceAll('"#"', String(number)));
      }
    }
  }
  const { listings } = await openCatalog([models]);
  expect(listings).toHaveLength(index);
  for (const { description } of listings) {
    if (!description.available) expect(description.unavailableReason).toMatch(/^Expected /);
    expect(description.unavailableReason ?? '').not.toMatch(/RangeError|TypeError/);
  }
});

it('a folder of odd models does not keep the engine from starting and drawing', async () => {
  const odd = join(models, 'odd');
  mkdirSync(odd);
  for (const name of ['transformer', 'easel.json']) execFileSync('mkfifo', [join(odd, name)]);
  execFileSync('mkfifo', [join(models, 'pipe')]);
  symlinkSync('/dev/zero', join(models, 'device'));
  symlinkSync(models, join(models, 'itself'));
  cpSync(original, join(models, 'random'), { recursive: true });
  const engine = await startEngine({ modelFolders: [models], provider: 'cpu', threads: 1 });
  const described = engine.models.map(({ name, available }) => `${name} ${available}`);
  expect(described).toContain('random true');
  expect(described).toContain('odd false');
  await engine.close();
});
