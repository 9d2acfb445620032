import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openModel } from '../../src/inference/models/model.ts';
import { createDenoiser } from '../../src/inference/pipelines/denoiser.ts';
import { createEmbeddings } from '../../src/inference/pipelines/embeddings.ts';
import { createLoadedModels } from '../../src/inference/pipelines/loaded-models.ts';
import { createModelLoader, type ModelRef } from '../../src/inference/pipelines/model-loader.ts';
import { createSourceEncodings } from '../../src/inference/pipelines/source-encodings.ts';
import { textToImage } from '../../src/inference/pipelines/text-to-image.ts';
import { Canceled, createTurns, type Job } from '../../src/inference/pipelines/turns.ts';
import { chooseProvider } from '../../src/inference/providers.ts';
import { type ImageRequest, imageSettings } from '../../src/inference/request.ts';
import { temporaryFolder } from '../support/golden.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

/** Two models with transformers of their own; the rest is in a folder beside them. */
beforeAll(() => {
  const parts = join(folder.path, 'parts');
  mkdirSync(parts);
  for (const [seed, name] of ['one', 'two'].entries()) {
    const model = writeRandomModel(join(folder.path, name), { seed: seed + 1 });
    for (const part of ['text_encoder', 'vae', 'tokenizer', 'scheduler']) {
      if (name === 'one') renameSync(join(model, part), join(parts, part));
      else rmSync(join(model, part), { recursive: true });
    }
    const easel = join(model, 'easel.json');
    const said = JSON.parse(readFileSync(easel, 'utf8'));
    writeFileSync(easel, JSON.stringify({ ...said, parts: 'parts' }));
  }
});

const job: Job = { share: '', order: 0, isCanceled: () => false };

async function refOf(name: string): Promise<ModelRef> {
  const { found, revision } = await openModel({
    name,
    folder: join(folder.path, name),
    shared: join(folder.path, 'parts'),
  });
  return { found, revision };
}

async function open(max: number) {
  const turns = createTurns();
  const loader = createModelLoader({ threads: 1, choice: await chooseProvider('cpu', 1) });
  const models = createLoadedModels({ max, turns, loader });
  const context = {
    models,
    turns,
    denoiser: createDenoiser(turns),
    embeddings: createEmbeddings(),
    sources: createSourceEncodings(),
  };
  return { models, context };
}

const request: ImageRequest = {
  ...imageSettings.parse({
    model: '',
    prompt: 'a red boat',
    width: 64,
    height: 64,
    steps: 1,
    seed: 1,
  }),
  share: '',
};

it('models that share a text encoder load it once, and encode a prompt once', async () => {
  const { models, context } = await open(2);
  const one = await models.acquire(await refOf('one'), job);
  const two = await models.acquire(await refOf('two'), job);
  expect(two.loaded.textEncoder).toBe(one.loaded.textEncoder);
  expect(two.loaded.vae).toBe(one.loaded.vae);
  expect(two.loaded.transformer).not.toBe(one.loaded.transformer);

  const encode = vi.spyOn(one.loaded.textEncoder, 'encode');
  for (const name of ['one', 'two']) {
    const image = { job, ref: await refOf(name), demand: null };
    const events = [];
    for await (const event of textToImage(request, image, context)) events.push(event.type);
    expect(events.at(-1)).toBe('image');
  }
  expect(encode).toHaveBeenCalledTimes(2); // The prompt, and the empty negative prompt.
  await one.release();
  await two.release();
  await models.close();
});

it('images that begin together encode their prompt once, also where the first is cancelled', async () => {
  const { models, context } = await open(1);
  const ref = await refOf('one');
  const { loaded, release } = await models.acquire(ref, job);
  let isCanceled = false;
  const encode = vi.spyOn(loaded.textEncoder, 'encode').mockImplementationOnce(() => {
    isCanceled = true; // In the turn of the first job.
    return Promise.reject(new Canceled());
  });
  const draw = async (image: Job) => {
    const types: string[] = [];
    const events = textToImage(request, { job: image, ref, demand: null }, context);
    for await (const event of events) types.push(event.type);
    return types.at(-1);
  };
  const first = draw({ ...job, isCanceled: () => isCanceled });
  const others = [1, 2, 3].map((order) => draw({ ...job, order }));
  await expect(first).rejects.toBeInstanceOf(Canceled);
  expect(await Promise.all(others)).toEqual(['image', 'image', 'image']);
  expect(encode).toHaveBeenCalledTimes(3); // The one that failed, the prompt, the negative prompt.
  await release();
  await models.close();
});

it('a shared network stays loaded until the last model that uses it has gone', async () => {
  const { models } = await open(1);
  const one = await models.acquire(await refOf('one'), job);
  const { textEncoder, transformer } = one.loaded;
  const released = {
    textEncoder: vi.spyOn(textEncoder, 'release'),
    transformer: vi.spyOn(transformer, 'release'),
  };
  await one.release();
  const two = await models.acquire(await refOf('two'), job); // In the place of the first one.
  expect(two.loaded.textEncoder).toBe(textEncoder);
  expect(released.transformer).toHaveBeenCalledTimes(1);
  expect(released.textEncoder).not.toHaveBeenCalled();
  await two.release();
  await models.close();
  expect(released.textEncoder).toHaveBeenCalledTimes(1);
});

it('a model whose files are others is loaded anew, and what was loaded before is released', async () => {
  const { models } = await open(2);
  const before = await models.acquire(await refOf('one'), job);
  const released = vi.spyOn(before.loaded.transformer, 'release');
  const weights = join(folder.path, 'one', 'transformer', 'diffusion_pytorch_model.safetensors');
  writeFileSync(`${weights}.new`, readFileSync(weights));
  renameSync(`${weights}.new`, weights);
  const after = await models.acquire(await refOf('one'), job);
  expect(after.loaded.transformer).not.toBe(before.loaded.transformer);
  expect(after.loaded.textEncoder).toBe(before.loaded.textEncoder);
  expect(released).not.toHaveBeenCalled(); // An image may still be made with it.
  await before.release();
  expect(released).toHaveBeenCalledTimes(1);
  await after.release();
  await models.close();
});

it('a model whose files have changed since it was checked is not loaded', async () => {
  const { models } = await open(2);
  const outdated = { ...(await refOf('one')), revision: 'another' };
  await expect(models.acquire(outdated, job)).rejects.toMatchObject({ name: 'FileChanged' });
  await models.close();
});
