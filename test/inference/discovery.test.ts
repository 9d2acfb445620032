import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/inference/models/listing.ts';
import { writeRandomModel } from '../support/random-model.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'easel-discovery-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const sharedParts = ['text_encoder', 'vae', 'tokenizer', 'scheduler'];

/**
 * A repository in a Hugging Face cache: files by their hash in `blobs`, links to them in a snapshot. Without `parts`:
 * only what is named.
 */
function addToCache(cache: string, repository: string, commit: string, names?: readonly string[]) {
  const folder = join(cache, `models--${repository.replace('/', '--')}`);
  const snapshot = join(folder, 'snapshots', commit);
  const source = writeRandomModel(join(root, 'source'), { seed: commit.length });
  mkdirSync(join(folder, 'blobs'), { recursive: true });
  mkdirSync(join(folder, 'refs'), { recursive: true });
  for (const entry of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    const isWanted = names === undefined || names.some((name) => entry.startsWith(name));
    if (!isWanted || !statSync(join(source, entry)).isFile()) continue;
    const blob = join(folder, 'blobs', `${commit}-${entry.replaceAll('/', '-')}`);
    const link = join(snapshot, entry);
    mkdirSync(dirname(link), { recursive: true });
    renameSync(join(source, entry), blob);
    symlinkSync(relative(dirname(link), blob), link);
  }
  rmSync(source, { recursive: true });
  return { folder, snapshot, main: join(folder, 'refs', 'main') };
}

const names = async (...folders: string[]) =>
  (await openCatalog(folders)).listings.map(
    ({ description }) => `${description.name} ${description.available}`,
  );

describe('a Hugging Face cache', () => {
  it('is a folder of models: the snapshot that refs/main names, through its links', async () => {
    const { main } = addToCache(root, 'owner/a-model--b', 'first');
    addToCache(root, 'owner/a-model--b', 'second');
    writeFileSync(main, 'first\n');
    const catalog = await openCatalog([root]);
    const [listing] = catalog.listings;
    expect(listing?.description).toMatchObject({ name: 'owner/a-model--b', available: true });
    expect(listing?.found.folder).toMatch(/snapshots\/first$/);
    writeFileSync(main, 'second');
    await catalog.scan();
    expect(catalog.listings[0]?.found.folder).toMatch(/snapshots\/second$/);
    expect(catalog.listings[0]?.model?.revision).not.toBe(listing?.model?.revision);
  });

  it.each(['nothing', 'a named pipe', 'an unknown commit'])(
    'with %s as refs/main has its latest snapshot',
    async (what) => {
      const { main } = addToCache(root, 'owner/model', 'only');
      if (what === 'a named pipe') execFileSync('mkfifo', [main]);
      if (what === 'an unknown commit') writeFileSync(main, 'another');
      expect(await names(root)).toEqual(['owner/model true']);
    },
  );

  it('combines a transformer with the parts that the official releases share', async () => {
    const only = ['transformer'];
    addToCache(root, 'PixArt-alpha/PixArt-Sigma-XL-2-512-MS', 'c', only);
    expect(await names(root)).toEqual(['PixArt-alpha/PixArt-Sigma-XL-2-512-MS false']);
    const parts = [...sharedParts, 'model_index.json'];
    addToCache(root, 'PixArt-alpha/pixart_sigma_sdxlvae_T5_diffusers', 'd', parts);
    expect(await names(root)).toEqual(['PixArt-alpha/PixArt-Sigma-XL-2-512-MS true']);
  });

  it('with an unfinished download lists the model as unavailable, with the reason', async () => {
    const { snapshot } = addToCache(root, 'owner/model', 'c');
    rmSync(join(snapshot, 'vae', 'diffusion_pytorch_model.safetensors'));
    const { listings } = await openCatalog([root]);
    expect(listings[0]?.description.unavailableReason).toMatch(/safetensors.*but got neither$/);
  });
});

describe('parts for several models', () => {
  it.each([
    ['beside the model', 'owner/model', 'owner/parts'],
    ['in the folder of another owner', 'owner/model', 'other/parts'],
    ['at the top', 'owner/model', 'parts'],
    ['below an owner', 'model', 'owner/parts'],
  ])('are found %s', async (_, name, partsName) => {
    const model = writeRandomModel(join(root, name));
    const parts = join(root, partsName);
    mkdirSync(parts, { recursive: true });
    for (const part of sharedParts) renameSync(join(model, part), join(parts, part));
    writeFileSync(join(model, 'easel.json'), JSON.stringify({ parts: 'parts' }));
    expect(await names(root)).toEqual([`${name} true`]);
  });

  it('are found in another folder of models', async () => {
    const [first, second] = [join(root, 'first'), join(root, 'second')];
    const model = writeRandomModel(join(first, 'model'));
    const parts = join(second, 'pixart_sigma_sdxlvae_T5_diffusers');
    mkdirSync(parts, { recursive: true });
    for (const part of sharedParts) renameSync(join(model, part), join(parts, part));
    expect(await names(first, second)).toEqual(['model true']);
    expect(await names(first)).toEqual(['model false']);
  });

  it('make a model usable, and unusable, as they come and go', async () => {
    const model = writeRandomModel(join(root, 'model'));
    const away = join(root, 'elsewhere', 'deeper');
    mkdirSync(away, { recursive: true });
    const catalog = await openCatalog([root]);
    const isAvailable = async () => {
      await catalog.scan();
      return catalog.listings[0]?.description.available;
    };
    expect(await isAvailable()).toBe(true);
    renameSync(join(model, 'vae'), join(away, 'vae'));
    expect(await isAvailable()).toBe(false);
    const parts = join(root, 'pixart_sigma_sdxlvae_T5_diffusers');
    mkdirSync(parts);
    renameSync(join(away, 'vae'), join(parts, 'vae'));
    expect(await isAvailable()).toBe(true);
    expect(existsSync(join(model, 'vae'))).toBe(false);
  });
});

it('every other folder is reported, with its reason', async () => {
  writeRandomModel(join(root, 'org', 'model'));
  writeRandomModel(join(root, 'org', 'sub', 'deep'));
  mkdirSync(join(root, 'empty', 'sub'), { recursive: true });
  mkdirSync(join(root, 'deeper', 'sub', 'model', 'transformer'), { recursive: true });
  mkdirSync(join(root, 'parts', 'vae'), { recursive: true });
  mkdirSync(join(root, 'models--owner--empty', 'refs'), { recursive: true });
  mkdirSync(join(root, '.hidden', 'model', 'transformer'), { recursive: true });
  mkdirSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync(root, join(root, 'org', 'itself'));
  const skipped: string[] = [];
  const { listings } = await openCatalog([root], {
    onSkip: ({ folder, reason }) => skipped.push(`${relative(root, folder)}: ${reason}`),
  });
  expect(listings.map(({ found }) => found.name)).toEqual(['org/model']);
  const nothing = 'it has no transformer/, model_index.json or easel.json';
  expect(skipped.sort()).toEqual([
    'caf\ufffd: its name is not UTF-8',
    'dangling: it is a symbolic link to nothing',
    'deeper/sub: models are looked for in <name>/ and <owner>/<name>/, and model/ lies deeper',
    `empty: ${nothing}, nor has a folder in it`,
    'loop: it is a symbolic link that leads to itself',
    'models--owner--empty: it is of a Hugging Face cache, but has no snapshot',
    'org/itself: it is a symbolic link to a folder that it lies in',
    'org/sub: models are looked for in <name>/ and <owner>/<name>/, and deep/ lies deeper',
    `parts: ${nothing}`,
  ]);
});

it('of two models of one name the first counts, and the other is reported', async () => {
  const [first, second] = [join(root, 'first'), join(root, 'second')];
  writeRandomModel(join(first, 'model'));
  writeRandomModel(join(second, 'model'));
  const skipped: string[] = [];
  const { listings } = await openCatalog([first, second], {
    onSkip: ({ folder, reason }) => skipped.push(`${folder}: ${reason}`),
  });
  expect(listings.map(({ found }) => found.folder)).toEqual([join(first, 'model')]);
  expect(skipped).toEqual([
    `${join(second, 'model')}: the model "model" was found in ${join(first, 'model')} before`,
  ]);
});
