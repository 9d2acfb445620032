import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Engine, startEngine } from '../../src/inference/engine/engine.ts';
import { draw, type ImageEvent, never, request } from '../support/draw.ts';
import { writeRandomModel } from '../support/random-model.ts';

const options = { provider: 'cpu', threads: 1 } as const;

const weightsOf = (model: string) =>
  join(model, 'transformer', 'diffusion_pytorch_model.safetensors');

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

const digest = ({ rgb }: ImageEvent) => createHash('sha256').update(rgb).digest('hex');

describe('weights that change while they are in use', () => {
  let models: string;
  let model: string;
  let engine: Engine;
  beforeEach(async () => {
    models = mkdtempSync(join(tmpdir(), 'easel-changing-'));
    model = writeRandomModel(join(models, 'random'));
    engine = await startEngine({ ...options, modelFolders: [models] });
  });
  afterEach(async () => {
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('are used, and named in the provenance, once they are replaced', async () => {
    const before = await draw(engine);
    expect(before.provenance.modelSha256).toBe(sha256(weightsOf(model)));
    const other = weightsOf(
      writeRandomModel(join(models, '..', `${basename(models)}-2`), { seed: 2 }),
    );
    renameSync(other, weightsOf(model));
    const after = await draw(engine);
    expect(digest(after)).not.toBe(digest(before));
    expect(after.provenance.modelSha256).toBe(sha256(weightsOf(model)));
    expect(after.provenance.vaeSha256).toBe(before.provenance.vaeSha256);
    rmSync(dirname(dirname(other)), { recursive: true });
  });

  it('are used, and named, once they are written over and their time is set back', async () => {
    const before = await draw(engine);
    const { atime, mtime } = statSync(weightsOf(model));
    const bytes = readFileSync(weightsOf(model));
    bytes.fill(0, bytes.length - 64);
    writeFileSync(weightsOf(model), bytes);
    utimesSync(weightsOf(model), atime, mtime);
    const after = await draw(engine);
    expect(digest(after)).not.toBe(digest(before));
    expect(after.provenance.modelSha256).toBe(sha256(weightsOf(model)));
  });

  it('are still used, and named, by an image that was running when they were replaced', async () => {
    const before = await draw(engine);
    let image: ImageEvent | undefined;
    for await (const event of engine.generate(request, { signal: never() })) {
      if (event.type === 'step' && event.step === 1) {
        const bytes = readFileSync(weightsOf(model));
        bytes.fill(0, bytes.length - 64);
        writeFileSync(`${weightsOf(model)}.new`, bytes);
        renameSync(`${weightsOf(model)}.new`, weightsOf(model));
      }
      if (event.type === 'image') image = event;
    }
    expect(digest(image!)).toBe(digest(before));
    expect(image!.provenance).toEqual(before.provenance);
  });

  it('fail only that model while they are cut short, and work again once they are whole', async () => {
    writeRandomModel(join(models, 'other'));
    const before = await draw(engine);
    const whole = readFileSync(weightsOf(model));
    truncateSync(weightsOf(model), 64);
    await expect(draw(engine)).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
    expect((await draw(engine, { model: 'other' })).width).toBe(64);
    writeFileSync(weightsOf(model), whole);
    expect(digest(await draw(engine))).toBe(digest(before));
  });

  it('are read again where only the text encoder or the VAE is another', async () => {
    const before = await draw(engine);
    for (const [part, stem] of [
      ['text_encoder', 'model'],
      ['vae', 'diffusion_pytorch_model'],
    ] as const) {
      const other = writeRandomModel(join(models, '..', `${basename(models)}-3`), { seed: 3 });
      const file = join(part, `${stem}.safetensors`);
      const was = join(models, 'was.safetensors');
      renameSync(join(model, file), was);
      renameSync(join(other, file), join(model, file));
      expect(digest(await draw(engine))).not.toBe(digest(before));
      renameSync(was, join(model, file));
      rmSync(other, { recursive: true });
    }
    expect(digest(await draw(engine))).toBe(digest(before));
  });
});

describe('an image that waits to be begun while its model', () => {
  let models: string;
  let model: string;
  let engine: Engine;
  beforeEach(async () => {
    models = mkdtempSync(join(tmpdir(), 'easel-waiting-'));
    model = writeRandomModel(join(models, 'random'));
    writeRandomModel(join(models, 'other'), { seed: 4 });
    engine = await startEngine({ ...options, modelFolders: [models], maxModels: 1 });
  });
  afterEach(async () => {
    await engine.close();
    rmSync(models, { recursive: true });
  });

  /** Changes the model once its image waits for the memory that an image of another model holds. */
  async function drawAfter(change: () => void): Promise<ImageEvent> {
    const long = { ...request, model: 'other', steps: 100 };
    const other = engine.generate(long, { signal: never() });
    for (let type = ''; type !== 'step'; ) type = (await other.next()).value!.type;
    const waiting = engine.generate(request, { signal: never() });
    expect((await waiting.next()).value).toEqual({ type: 'stage', stage: 'LOADING_MODEL' });
    change();
    await other.return();
    for await (const event of waiting) if (event.type === 'image') return event;
    throw new Error('Expected an image, but got none');
  }

  it('gets new permissions is drawn, and with the new one where it is replaced', async () => {
    const before = await draw(engine);
    const same = await drawAfter(() => chmodSync(weightsOf(model), 0o444));
    expect(digest(same)).toBe(digest(before));
    expect(same.provenance).toEqual(before.provenance);
    const other = weightsOf(join(models, 'other'));
    const after = await drawAfter(() => writeFileSync(weightsOf(model), readFileSync(other)));
    expect(digest(after)).not.toBe(digest(before));
    expect(after.provenance.modelSha256).toBe(sha256(weightsOf(model)));
  });
});

describe('model folders that change while the engine runs', () => {
  it('are seen when models are listed: added, repaired, removed', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-folders-'));
    const skipped: string[] = [];
    mkdirSync(join(models, 'notes'));
    const first = writeRandomModel(join(models, 'first'));
    renameSync(join(first, 'vae', 'config.json'), join(first, 'vae', 'away'));
    const engine = await startEngine({
      ...options,
      modelFolders: [models],
      onSkip: ({ folder }) => skipped.push(basename(folder)),
    });
    const list = async () =>
      (await engine.listModels()).map(({ name, available }) => `${name} ${available}`);
    expect(await list()).toEqual(['first false']);
    expect(skipped).toEqual(['notes']);

    renameSync(join(first, 'vae', 'away'), join(first, 'vae', 'config.json'));
    writeRandomModel(join(models, 'owner', 'second'));
    expect(await list()).toEqual(['first true', 'owner/second true']);
    expect((await draw(engine, { model: 'owner/second' })).width).toBe(64);

    rmSync(first, { recursive: true });
    expect(await list()).toEqual(['owner/second true']);
    await expect(draw(engine, { model: 'first' })).rejects.toThrow(/there is no such model/);
    expect(skipped).toEqual(['notes']); // Told once.
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('can be used without being listed before', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-folders-'));
    const engine = await startEngine({ ...options, modelFolders: [models] });
    writeRandomModel(join(models, 'added'));
    expect((await draw(engine, { model: 'added' })).width).toBe(64);
    await engine.close();
    rmSync(models, { recursive: true });
  });
});
