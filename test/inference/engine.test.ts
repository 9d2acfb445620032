import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, type EngineOptions, startEngine } from '../../src/inference/engine/engine.ts';
import {
  createPreviewDemand,
  type EngineEvent,
  setPreviewDemand,
} from '../../src/inference/request.ts';
import { draw, type ImageEvent, never, request } from '../support/draw.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-engine-'));
const options: EngineOptions = { modelFolders: [folder], provider: 'cpu', threads: 1 };

const weightsOf = (model: string) =>
  join(model, 'transformer', 'diffusion_pytorch_model.safetensors');

const digest = ({ rgb }: ImageEvent) => createHash('sha256').update(rgb).digest('hex');

beforeAll(() => {
  writeRandomModel(join(folder, 'random'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the engine', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine(options);
  });
  afterAll(async () => {
    expect(await engine.close()).toBe(true);
  });

  it('reports each stage and step, and ends with one image', async () => {
    const events: EngineEvent[] = [];
    for await (const event of engine.generate(request, { signal: never() })) events.push(event);
    const summary = events.map((event) => {
      if (event.type === 'stage') return event.stage;
      return event.type === 'step' ? event.step : 'image';
    });
    expect(summary).toEqual([
      ...['LOADING_MODEL', 'ENCODING', 'DENOISING', 1, 2, 3, 4, 'DECODING', 'image'],
    ]);
    const image = events.at(-1) as ImageEvent;
    expect([image.width, image.height, image.rgb.length]).toEqual([64, 64, 64 * 64 * 3]);
    expect(new Set(image.rgb).size).toBeGreaterThan(50);
    expect(image.timings.map(({ stage }) => stage)).toEqual([
      ...['LOADING_MODEL', 'ENCODING', 'DENOISING', 'DECODING'],
    ]);
    expect(image.provenance).toMatchObject({ executionProvider: 'cpu', precision: 'F32' });
    expect(image.provenance.runtime).toMatch(/^onnxruntime-node \d/);
  });

  it('reports the precision that it computed in, not that of the stored weights', async () => {
    writeRandomModel(join(folder, 'half'), { dtype: 'F16' });
    const { provenance } = await draw(engine, { model: 'half' });
    expect(provenance.precision).toBe('F32');
    expect(engine.models.find(({ name }) => name === 'half')?.precision).toBe('F16');
  });

  it('refuses a size whose tokens the key/value compression does not divide', async () => {
    const compressed = writeRandomModel(join(folder, 'compressed'));
    const config = join(compressed, 'transformer', 'config.json');
    const kv = { sampling: 'uniform', scale_factor: 2, kv_compress_layer: [1] };
    const { ...rest } = JSON.parse(readFileSync(config, 'utf8'));
    writeFileSync(config, JSON.stringify({ ...rest, kv_compress_config: kv }));
    expect((await draw(engine, { model: 'compressed' })).width).toBe(64);
    await expect(draw(engine, { model: 'compressed', width: 80 })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('5 x 4 tokens'),
    });
  });

  it('draws the same pixels from the same seed, alone and among others', async () => {
    const alone = digest(await draw(engine));
    const others = [1, 2, 3].map((seed) =>
      draw(engine, { seed, share: `share ${seed}`, prompt: 'a blue cat', steps: 3 + seed }),
    );
    const among = await draw(engine);
    const different = await Promise.all(others);
    expect(digest(among)).toBe(alone);
    expect(new Set([alone, ...different.map(digest)]).size).toBe(4);
  });

  it('makes frames of the denoised estimate only on demand, at the size of the latents', async () => {
    const demand = createPreviewDemand();
    const frames = async () => {
      const steps: (readonly [number, number, number] | null)[] = [];
      for await (const event of engine.generate(request, { signal: never(), demand })) {
        if (event.type !== 'step') continue;
        const { frame } = event;
        steps.push(frame && [frame.width, frame.height, frame.rgb.length]);
      }
      return steps;
    };
    expect(await frames()).toEqual([null, null, null, null]);
    setPreviewDemand(demand, 0);
    expect(await frames()).toEqual(new Array(4).fill([8, 8, 192]));
    setPreviewDemand(demand, 60_000);
    expect(await frames()).toEqual([[8, 8, 192], null, null, null]);
  });

  it('ends without an image when cancelled, and is free for the next one at once', async () => {
    const controller = new AbortController();
    const events: string[] = [];
    const long = { ...request, steps: 100 };
    for await (const event of engine.generate(long, { signal: controller.signal })) {
      if (event.type === 'step') events.push(`${event.step}`);
      if (event.type === 'step' && event.step === 2) controller.abort();
      if (event.type === 'image') events.push('image');
    }
    expect(events).not.toContain('image');
    expect(events.length).toBeLessThan(6);
    expect((await draw(engine)).width).toBe(64);
  });

  it('is cancelled by leaving the iteration', async () => {
    const long = { ...request, steps: 100 };
    for await (const event of engine.generate(long, { signal: never() })) {
      if (event.type === 'step') break;
    }
    expect((await draw(engine)).width).toBe(64);
  });

  it('yields nothing where the signal was aborted before', async () => {
    const events = engine.generate(request, { signal: AbortSignal.abort() });
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('lets a 4-step image of one share overtake a 50-step image of another', async () => {
    const ends: string[] = [];
    await Promise.all([
      draw(engine, { steps: 50, share: 'a' }).then(() => ends.push('long')),
      draw(engine, { steps: 4, share: 'b' }).then(() => ends.push('short')),
    ]);
    expect(ends).toEqual(['short', 'long']);
  });

  it('counts the tokens that the model reads', async () => {
    expect(await engine.countTokens('random', '')).toEqual({ tokens: 1, truncated: false });
    const { tokens, truncated } = await engine.countTokens('random', 'boat '.repeat(200));
    expect(truncated).toBe(true);
    expect(tokens).toBeGreaterThan(40);
  });

  it('refuses a model that is not there', async () => {
    await expect(draw(engine, { model: 'nowhere' })).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringContaining('nowhere'),
    });
  });

  it('refuses what the sampler cannot do, and goes on', async () => {
    await expect(draw(engine, { steps: 0 })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect((await draw(engine)).width).toBe(64);
  });

  it('keeps its memory over many images', async () => {
    const many = async (count: number) => {
      for (let seed = 0; seed < count; seed++) await draw(engine, { seed, steps: 1 });
      return process.memoryUsage.rss() / 2 ** 20;
    };
    const before = await many(50);
    expect((await many(150)) - before).toBeLessThan(40);
  });
});

describe('an engine under faults', () => {
  it('goes on where a model is cut off after the start, and lists it with its reason', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-damaged-'));
    writeRandomModel(join(models, 'random'));
    const broken = writeRandomModel(join(models, 'broken'), { title: 'Broken' });
    const engine = await startEngine({ ...options, modelFolders: [models] });
    const weights = weightsOf(broken);
    truncateSync(weights, statSync(weights).size - 4);

    const failing = draw(engine, { model: 'broken' });
    const going = draw(engine);
    await expect(failing).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringContaining('cut off'),
    });
    expect((await going).width).toBe(64);
    const described = await engine.listModels();
    expect(described.map(({ available }) => available)).toEqual([false, true]);
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('loads a model ahead of its first image', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-ahead-'));
    writeRandomModel(join(models, 'random'));
    for (const [index, name] of ['ahead', 'cold'].entries()) {
      writeRandomModel(join(models, name), { seed: 2 + index });
    }
    const engine = await startEngine({ ...options, modelFolders: [models] });
    engine.preload('ahead');
    await draw(engine); // Its turn comes after the other's loading.
    const loadingMs = async (model: string) => {
      const { timings } = await draw(engine, { model });
      return timings.find(({ stage }) => stage === 'LOADING_MODEL')!.milliseconds;
    };
    const ahead = await loadingMs('ahead');
    expect(ahead).toBeLessThan((await loadingMs('cold')) / 4);
    expect(() => engine.preload('nothing')).toThrow(/there is no such model/);
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('fails an image of weights that are not numbers, and draws others', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-nan-'));
    writeRandomModel(join(models, 'random'));
    const poisoned = writeRandomModel(join(models, 'poisoned'));
    const weights = weightsOf(poisoned);
    const bytes = readFileSync(weights);
    bytes.fill(0xff, bytes.length - 64);
    writeFileSync(weights, bytes);
    const engine = await startEngine({ ...options, modelFolders: [models] });
    await expect(draw(engine, { model: 'poisoned' })).rejects.toMatchObject({
      code: 'NOT_FINITE',
      message: expect.stringContaining('NaN'),
    });
    expect((await draw(engine)).width).toBe(64);
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('refuses to start, in one sentence, where a folder of models is missing', async () => {
    const modelFolders = [join(folder, 'nowhere')];
    await expect(startEngine({ ...options, modelFolders })).rejects.toMatchObject({
      name: 'StartError',
      message: expect.stringContaining('nowhere'),
    });
  });
});
