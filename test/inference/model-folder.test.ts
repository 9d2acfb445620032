import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createChecksums } from '../../src/inference/checkpoints/checksum.ts';
import { describeModel, isModelFolder } from '../../src/inference/checkpoints/listing.ts';
import { readModelFolder } from '../../src/inference/checkpoints/model-folder.ts';
import { writeRandomModel } from '../support/random-model.ts';

const root = mkdtempSync(join(tmpdir(), 'easel-models-'));
const original = writeRandomModel(join(root, 'original'), { title: 'Random' });
let folder: string;
let copies = 0;

beforeEach(() => {
  folder = join(root, `set-${++copies}`, 'model');
  cpSync(original, folder, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true }));

const transformer = () => join(folder, 'transformer', 'diffusion_pytorch_model.safetensors');

function edit(file: string, change: (value: Record<string, unknown>) => object): void {
  const path = join(folder, file);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))));
}

async function reason(): Promise<string> {
  const { available, unavailableReason, defaults } = await describeModel(folder);
  expect([available, defaults]).toEqual([false, null]);
  expect(unavailableReason).not.toContain(root);
  return unavailableReason!;
}

describe('a model folder', () => {
  it('is described from its configuration and the headers of its weights', async () => {
    expect(await describeModel(folder)).toMatchObject({
      name: 'model',
      title: 'Random',
      license: 'Apache-2.0',
      available: true,
      unavailableReason: null,
      precision: 'F32',
      maxPromptTokens: 40,
      vocabulary: ['boat', 'cat', 'house'],
      defaults: { width: 64, height: 64, steps: 4, guidanceScale: 4.5, sampler: 'DPMPP_2M' },
      samplers: ['DPMPP_2M'],
    });
    const { parameters, sizes } = await describeModel(folder);
    expect(parameters).toBeGreaterThan(50_000);
    expect(sizes[0]).toEqual({ width: 64, height: 64 });
  });

  it('needs no easel.json: official sizes and defaults follow from the configuration', async () => {
    rmSync(join(folder, 'easel.json'));
    edit('transformer/config.json', (config) => ({ ...config, sample_size: 64 }));
    const description = await describeModel(folder);
    expect(description).toMatchObject({
      title: 'model',
      maxPromptTokens: 300,
      defaults: { width: 512, height: 512, steps: 20, guidanceScale: 4.5 },
    });
    expect(description.sizes).toHaveLength(33);
    expect(description.sizes[0]).toMatchObject({ width: 512, height: 512 });
  });

  it('of PixArt-α reads 120 tokens, one for consistency sampling takes 4 steps without guidance', async () => {
    rmSync(join(folder, 'easel.json'));
    edit('model_index.json', (index) => ({ ...index, _class_name: 'PixArtAlphaPipeline' }));
    edit('scheduler/scheduler_config.json', (config) => ({
      ...config,
      _class_name: 'LCMScheduler',
    }));
    expect(await describeModel(folder)).toMatchObject({
      maxPromptTokens: 120,
      samplers: ['LCM'],
      defaults: { steps: 4, guidanceScale: 1, sampler: 'LCM' },
    });
  });

  it('may be links into a cache', async () => {
    const linked = join(root, `set-${copies}`, 'linked');
    mkdirSync(linked);
    const names = ['model_index.json', 'easel.json', 'transformer', 'text_encoder', 'vae'];
    for (const name of [...names, 'tokenizer', 'scheduler']) {
      symlinkSync(join(folder, name), join(linked, name));
    }
    expect(await describeModel(linked)).toMatchObject({ name: 'linked', available: true });
  });

  it('gets what it lacks from the folder beside it that easel.json names', async () => {
    const parts = join(folder, '..', 'shared-parts');
    mkdirSync(parts);
    for (const name of ['text_encoder', 'vae', 'tokenizer', 'scheduler']) {
      renameSync(join(folder, name), join(parts, name));
    }
    rmSync(join(folder, 'model_index.json'));
    expect(await reason()).toMatch(/text_encoder\/, vae\/, tokenizer\/, scheduler\//);
    edit('easel.json', (easel) => ({ ...easel, parts: 'shared-parts' }));
    expect(await describeModel(folder)).toMatchObject({ available: true });
    expect((await readModelFolder(folder)).parts.vae).toBe(join(parts, 'vae'));
    expect(await isModelFolder(folder)).toBe(true);
    expect(await isModelFolder(parts)).toBe(false);
  });

  it('gets what it lacks from the parts that the official releases share, by their name', async () => {
    const parts = join(folder, '..', 'pixart_sigma_sdxlvae_T5_diffusers');
    mkdirSync(parts);
    for (const name of ['text_encoder', 'vae', 'tokenizer', 'scheduler', 'model_index.json']) {
      renameSync(join(folder, name), join(parts, name));
    }
    expect(await describeModel(folder)).toMatchObject({ available: true });
    expect(await isModelFolder(parts)).toBe(false);
  });
});

describe('a damaged model folder stays listed, with its reason', () => {
  it.each([
    [
      'transformer weights that are missing',
      'transformer/diffusion_pytorch_model.safetensors',
      /safetensors.*got neither/,
    ],
    ['a scheduler that is missing', 'scheduler/scheduler_config.json', /scheduler_config\.json/],
    ['a tokenizer that is missing', 'tokenizer/tokenizer.json', /tokenizer\.json or spiece\.model/],
    ['a configuration that is missing', 'vae/config.json', /config\.json/],
  ])('%s', async (_, file, expected) => {
    rmSync(join(folder, file));
    expect(await reason()).toMatch(expected);
  });

  it('weights that are cut off', async () => {
    truncateSync(transformer(), statSync(transformer()).size - 4);
    expect(await reason()).toMatch(/cut off/);
  });

  it('weights that are not the shapes that its configuration says', async () => {
    edit('transformer/config.json', (config) => ({ ...config, attention_head_dim: 24 }));
    expect(await reason()).toMatch(
      /Expected caption_projection.linear_1.weight as \[48, 32\], but got \[32, 32\]/,
    );
  });

  it('a text encoder with fewer rows than the tokenizer has tokens', async () => {
    edit('tokenizer/tokenizer.json', (tokenizer) => ({
      ...tokenizer,
      added_tokens: [{ id: 5000, content: '<new>' }],
    }));
    expect(await reason()).toMatch(/text encoder for 5001 tokens/);
  });

  it.each([
    ['another pipeline', { _class_name: 'StableDiffusionPipeline' }, /StableDiffusionPipeline/],
    [
      'another class',
      { vae: ['diffusers', 'AutoencoderDC'] },
      /AutoencoderKL for vae.*AutoencoderDC/,
    ],
    [
      'a name that leaves the folder',
      { '../../etc': ['diffusers', 'X'] },
      /names inside the folder.*\.\.\/\.\.\/etc/,
    ],
  ])('model_index.json with %s', async (_, change, expected) => {
    edit('model_index.json', (index) => ({ ...index, ...change }));
    expect(await reason()).toMatch(expected);
  });

  it.each([
    ['parts that are elsewhere', { parts: '../elsewhere' }, /parts.*folder beside/],
    ['sizes that do not divide by 16', { sizes: [{ width: 100, height: 64 }] }, /sizes\.0\.width/],
    ['a matrix of another shape', { latentRgb: { matrix: [[1, 2, 3]] } }, /latentRgb\.matrix/],
  ])('easel.json with %s', async (_, change, expected) => {
    edit('easel.json', (easel) => ({ ...easel, ...change }));
    expect(await reason()).toMatch(expected);
  });

  it('malformed JSON', async () => {
    writeFileSync(join(folder, 'model_index.json'), '{');
    expect(await reason()).toMatch(/Expected JSON in model_index\.json/);
  });
});

describe('checksums', () => {
  const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

  it("are of the file, or of the shards' checksums in the order of their names", async () => {
    const { weightFiles } = await readModelFolder(folder);
    const checksums = createChecksums();
    expect(weightFiles.transformer).toEqual([transformer()]);
    const whole = sha256(readFileSync(transformer()));
    expect(await checksums.of(weightFiles.transformer)).toBe(whole);

    const shard = 'diffusion_pytorch_model-00001-of-00001.safetensors';
    const header = readFileSync(transformer());
    const names = Object.keys(
      JSON.parse(header.subarray(8, 8 + Number(header.readBigUInt64LE())).toString()),
    );
    const map = names.filter((name) => name !== '__metadata__').map((name) => [name, shard]);
    renameSync(transformer(), join(folder, 'transformer', shard));
    writeFileSync(
      `${transformer()}.index.json`,
      JSON.stringify({ weight_map: Object.fromEntries(map) }),
    );
    const sharded = await readModelFolder(folder);
    expect(sharded.weightFiles.transformer).toEqual([join(folder, 'transformer', shard)]);
    expect(await checksums.of(sharded.weightFiles.transformer)).toBe(whole);
    expect(await checksums.of([...sharded.weightFiles.transformer, ...weightFiles.vae])).toBe(
      sha256(whole + sha256(readFileSync(weightFiles.vae[0]!))),
    );
  });

  it('are kept in a file, by path, size and time of change', async () => {
    const cacheFile = join(folder, 'checksums.json');
    const before = await createChecksums(cacheFile).of([transformer()]);
    const kept = readFileSync(cacheFile, 'utf8');
    expect(kept).toContain(before);
    writeFileSync(cacheFile, kept.replace(before, 'f'.repeat(64)));
    expect(await createChecksums(cacheFile).of([transformer()])).toBe('f'.repeat(64));
    truncateSync(transformer(), 100);
    expect(await createChecksums(cacheFile).of([transformer()])).toBe(
      sha256(readFileSync(transformer())),
    );
  });

  it('do without the file where it cannot be used', async () => {
    writeFileSync(join(folder, 'garbage.json'), '[1');
    const expected = sha256(readFileSync(transformer()));
    for (const name of ['garbage.json', 'nowhere/checksums.json']) {
      expect(await createChecksums(join(folder, name)).of([transformer()])).toBe(expected);
    }
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });
});
