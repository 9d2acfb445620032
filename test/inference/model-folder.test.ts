import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type ModelListing, openCatalog } from '../../src/inference/models/listing.ts';
import type { Model } from '../../src/inference/models/model.ts';
import type { ModelDescription } from '../../src/inference/request.ts';
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

/** As it is listed among the folders beside it. */
async function listingOf(folder: string): Promise<ModelListing | undefined> {
  const { listings } = await openCatalog([dirname(folder)]);
  return listings.find(({ found }) => found.name === basename(folder));
}

async function describeModel(folder: string): Promise<ModelDescription> {
  return (await listingOf(folder))!.description;
}

async function openModel(folder: string): Promise<Model> {
  return (await listingOf(folder))!.model!;
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
      samplers: [
        ...['DPMPP_2M', 'DPMPP_2M_KARRAS', 'DPMPP_2M_SDE', 'UNIPC', 'DDIM'],
        ...['EULER', 'EULER_ANCESTRAL', 'HEUN'],
      ],
    });
    const { parameters, sizes } = await describeModel(folder);
    expect(parameters).toBeGreaterThan(50_000);
    expect(sizes[0]).toEqual({ width: 64, height: 64 });
  });

  it('may have another sampler of its kind as its default, with that one’s steps', async () => {
    edit('easel.json', (easel) => ({ ...easel, defaults: { sampler: 'HEUN' } }));
    expect(await describeModel(folder)).toMatchObject({
      defaults: { sampler: 'HEUN', steps: 15, guidanceScale: 4.5 },
    });
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
    edit('model_index.json', (index) => ({
      ...index,
      _class_name: 'PixArtAlphaPipeline',
      scheduler: ['diffusers', 'LCMScheduler'],
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
    const vae = realpathSync(join(parts, 'vae', 'diffusion_pytorch_model.safetensors'));
    expect((await openModel(folder)).vae.weights.files[0]?.path).toBe(vae);
    expect(await listingOf(parts)).toBeUndefined();
  });

  it('gets what it lacks from the parts that the official releases share, by their name', async () => {
    const parts = join(folder, '..', 'pixart_sigma_sdxlvae_T5_diffusers');
    mkdirSync(parts);
    for (const name of ['text_encoder', 'vae', 'tokenizer', 'scheduler', 'model_index.json']) {
      renameSync(join(folder, name), join(parts, name));
    }
    expect(await describeModel(folder)).toMatchObject({ available: true });
    expect(await listingOf(parts)).toBeUndefined();
  });
});

describe("a model folder with diffusers' own defaults", () => {
  it('may leave the scaling factor and the sample size of the VAE out', async () => {
    const { vae: before } = await openModel(folder);
    expect(before.config).toMatchObject({ scalingFactor: 0.13025, sampleSize: 512 });
    edit('vae/config.json', ({ scaling_factor: _, sample_size: __, ...rest }) => rest);
    const { vae } = await openModel(folder);
    expect(vae.config).toMatchObject({ scalingFactor: 0.18215, sampleSize: 32 });
  });

  it('may have byte order marks before its JSON', async () => {
    for (const file of ['easel.json', 'model_index.json', 'vae/config.json']) {
      const text = readFileSync(join(folder, file), 'utf8');
      writeFileSync(join(folder, file), `\ufeff${text}`);
    }
    expect(await describeModel(folder)).toMatchObject({ available: true });
  });
});

describe('key/value compression that a size does not divide', () => {
  const compress = (sampling: string, scaleFactor: number) =>
    edit('transformer/config.json', (config) => ({
      ...config,
      sample_size: 64,
      kv_compress_config: {
        sampling,
        scale_factor: scaleFactor,
        kv_compress_layer: [1],
      },
    }));

  it('takes the size from the official list', async () => {
    rmSync(join(folder, 'easel.json'));
    compress('uniform', 2);
    const { sizes, defaults } = await describeModel(folder);
    expect(defaults).toMatchObject({ width: 512, height: 512 });
    expect(sizes.length).toBeGreaterThan(5);
    for (const { width, height } of sizes) expect([width % 32, height % 32]).toEqual([0, 0]);
    compress('ave', 2);
    expect((await describeModel(folder)).sizes).toHaveLength(33);
  });

  it('refuses a folder that names the size', async () => {
    compress('uniform', 4); // 64 is 4 tokens, 96 is 6.
    expect(await reason()).toMatch(/sizes in easel\.json that the key\/value compression divides/);
  });

  it('refuses layers that are not there', async () => {
    edit('transformer/config.json', (config) => ({
      ...config,
      kv_compress_config: { sampling: 'ave', scale_factor: 2, kv_compress_layer: [1, 2] },
    }));
    expect(await reason()).toMatch(/kv_compress_layer below 2, but got 2/);
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

  it('weights of other shapes than its configuration implies', async () => {
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
    [
      'a default that its scheduler does not allow',
      { defaults: { sampler: 'LCM' } },
      /defaults\.sampler in easel\.json to be one of DPMPP_2M, .*but got LCM/,
    ],
    [
      'a default size that is none of its sizes',
      { defaults: { width: 512, height: 64 } },
      /default size in easel\.json.*512 x 64/,
    ],
    ['a title of 300 characters', { title: 'x'.repeat(300) }, /title: .*200 characters/],
    ['words without end', { vocabulary: new Array(2_001).fill('x') }, /vocabulary: .*2000/],
    ['a matrix of another shape', { latentRgb: { matrix: [[1, 2, 3]] } }, /latentRgb\.matrix/],
  ])('easel.json with %s', async (_, change, expected) => {
    edit('easel.json', (easel) => ({ ...easel, ...change }));
    expect(await reason()).toMatch(expected);
  });

  it.each([
    ['none', undefined],
    ['[null,null]', [null, null]],
    [
      '["my_schedulers","DPMSolverMultistepScheduler"]',
      ['my_schedulers', 'DPMSolverMultistepScheduler'],
    ],
    ['"DDPMScheduler"', 'DDPMScheduler'],
  ])('model_index.json with %s as its scheduler', async (got, scheduler) => {
    edit('model_index.json', (index) => ({ ...index, scheduler }));
    expect(await reason()).toContain(`but got ${got}`);
  });

  it('micro-conditions without their weights', async () => {
    edit('transformer/config.json', (config) => ({ ...config, use_additional_conditions: true }));
    expect(await reason()).toMatch(
      /Expected the tensor adaln_single\.emb\.resolution_embedder\.linear_1\.weight/,
    );
  });

  it('default steps that its sampler does not take', async () => {
    edit('scheduler/scheduler_config.json', (config) => ({ ...config, clip_sample: false }));
    edit('model_index.json', (index) => ({ ...index, scheduler: ['diffusers', 'DDPMScheduler'] }));
    edit('easel.json', (easel) => ({ ...easel, defaults: { steps: 4 } }));
    expect(await reason()).toMatch(/defaults\.steps in easel\.json from 1 to 1 for sampler DMD/);
  });

  it.each(['FlowMatchEulerDiscreteScheduler', 'DEISMultistepScheduler'])(
    'a scheduler class that is not implemented: %s',
    async (className) => {
      edit('model_index.json', (index) => ({ ...index, scheduler: ['diffusers', className] }));
      expect(await reason()).toContain(className);
    },
  );

  it('parts that do not fit each other', async () => {
    edit('transformer/config.json', (config) => ({ ...config, in_channels: 16 }));
    expect(await reason()).toMatch(/pos_embed\.proj\.weight/);
    const other = writeRandomModel(join(root, `set-${copies}`, 'other'), { textWidth: 64 });
    cpSync(join(original, 'transformer'), join(folder, 'transformer'), { recursive: true });
    rmSync(join(folder, 'text_encoder'), { recursive: true });
    renameSync(join(other, 'text_encoder'), join(folder, 'text_encoder'));
    expect(await reason()).toMatch(
      /caption_channels in transformer\/config\.json to be 64, but got 32/,
    );
  });

  it.each([
    ['model_index.json', { _class_name: '日'.repeat(300_000) }],
    ['scheduler/scheduler_config.json', { algorithm_type: 'é'.repeat(300_000) }],
    ['transformer/config.json', { [`${'k'.repeat(300_000)}`]: 1, kv_compress_config: 'x' }],
  ])('and its reason is a sentence, however much %s holds', async (file, change) => {
    edit(file, (config) => ({ ...config, ...change }));
    const sentence = await reason();
    expect(sentence).toMatch(/^Expected .*json/);
    expect(sentence).not.toContain('\ufffd');
    expect(Buffer.byteLength(sentence)).toBeLessThanOrEqual(300);
  });

  it('malformed JSON', async () => {
    writeFileSync(join(folder, 'model_index.json'), '{');
    expect(await reason()).toMatch(
      /^Expected JSON, but got malformed text .* in model_index\.json$/,
    );
  });
});
