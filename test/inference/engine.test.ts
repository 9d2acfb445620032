import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Engine, type EngineOptions, startEngine } from '../../src/inference/engine/engine.ts';
import {
  createPreviewDemand,
  type EngineEvent,
  type ImageRequest,
  setPreviewDemand,
} from '../../src/inference/request.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-engine-'));
const options: EngineOptions = { modelFolders: [folder], provider: 'cpu', threads: 1 };

const request: ImageRequest = {
  model: 'random',
  prompt: 'a red boat on the sea',
  negativePrompt: '',
  cleanCaption: true,
  width: 64,
  height: 64,
  steps: 4,
  guidanceScale: 4.5,
  guidanceStart: 0,
  guidanceEnd: 1,
  sampler: 'DPMPP_2M',
  seed: 7,
  share: 'a',
};

type ImageEvent = Extract<EngineEvent, { type: 'image' }>;

const never = () => new AbortController().signal;

async function draw(engine: Engine, changes: Partial<ImageRequest> = {}): Promise<ImageEvent> {
  for await (const event of engine.generate({ ...request, ...changes }, { signal: never() })) {
    if (event.type === 'image') return event;
  }
  throw new Error('Expected an image, but got none');
}

const asking = new URL('../support/asking-worker.mjs', import.meta.url);

/** Answers those threads in order; what asks after the last of them waits. */
function askingThread(answers: readonly string[]) {
  const channel = new BroadcastChannel('engine');
  const question = { times: 0 };
  channel.onmessage = () => {
    const answer = answers[question.times++];
    if (answer !== undefined) channel.postMessage(answer);
  };
  return [channel, question] as const;
}

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

  it('goes through the stages, tells each step, and ends with one image', async () => {
    const events: EngineEvent[] = [];
    for await (const event of engine.generate(request, { signal: never() })) events.push(event);
    const told = events.map((event) => {
      if (event.type === 'stage') return event.stage;
      return event.type === 'step' ? event.step : 'image';
    });
    expect(told).toEqual([
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

  it('gives frames of the denoised estimate only to whom asks, at the size of the latents', async () => {
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

  it('gives nothing where the signal was aborted before', async () => {
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

describe('an engine that meets trouble', () => {
  it('survives a model that is cut off after the start, and finds it at the next scan', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-damaged-'));
    writeRandomModel(join(models, 'random'));
    const broken = writeRandomModel(join(models, 'broken'), { title: 'Broken' });
    const engine = await startEngine({ ...options, modelFolders: [models] });
    const weights = join(broken, 'transformer', 'diffusion_pytorch_model.safetensors');
    truncateSync(weights, statSync(weights).size - 4);

    const failing = draw(engine, { model: 'broken' });
    const going = draw(engine);
    await expect(failing).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringContaining('cut off'),
    });
    expect((await going).width).toBe(64);

    expect(engine.models.map(({ available }) => available)).toEqual([true, true]);
    await engine.rescan();
    expect(engine.models.map(({ available }) => available)).toEqual([false, true]);
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('loads a model ahead of its first image', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-ahead-'));
    writeRandomModel(join(models, 'random'));
    const ahead = writeRandomModel(join(models, 'ahead'));
    const engine = await startEngine({ ...options, modelFolders: [models] });
    engine.preload('ahead');
    await draw(engine); // Its turn comes after the other's loading.
    rmSync(join(ahead, 'vae', 'config.json')); // Who loaded it now would miss this.
    expect((await draw(engine, { model: 'ahead' })).width).toBe(64);
    expect(() => engine.preload('nothing')).toThrow(/there is no such model/);
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('fails an image of weights that are not numbers, and draws others', async () => {
    const models = mkdtempSync(join(tmpdir(), 'easel-nan-'));
    writeRandomModel(join(models, 'random'));
    const poisoned = writeRandomModel(join(models, 'poisoned'));
    const weights = join(poisoned, 'transformer', 'diffusion_pytorch_model.safetensors');
    const bytes = readFileSync(weights);
    bytes.fill(0xff, bytes.length - 64);
    writeFileSync(weights, bytes);
    const engine = await startEngine({ ...options, modelFolders: [models] });
    await expect(draw(engine, { model: 'poisoned' })).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringContaining('NaN'),
    });
    expect((await draw(engine)).width).toBe(64);
    await engine.close();
    rmSync(models, { recursive: true });
  });

  it('fails what runs when its thread dies, and draws again soon', async () => {
    const once = join(folder, 'died');
    const workerUrl = new URL('../support/dying-worker.mjs', import.meta.url);
    Object.assign(process.env, { DIES_ONCE: once, DIES_AFTER_STEPS: '3' });
    const reasons: string[] = [];
    const engine = await startEngine({
      ...options,
      workerUrl,
      onExit: ({ message }) => reasons.push(message),
    });
    const lost = await Promise.allSettled([draw(engine), draw(engine, { share: 'b' })]);
    for (const one of lost) {
      expect(one).toMatchObject({
        reason: { name: 'EngineLost', code: 'ENGINE_FAILED', retryable: true },
      });
    }
    expect(reasons).toEqual(['made to die']);
    expect((await draw(engine)).width).toBe(64);
    expect(await engine.close()).toBe(true);
  });

  it('fails what waits for a thread that starts no more, and draws when one does', async () => {
    const [channel, question] = askingThread(['yes', 'no', 'no', 'no', 'yes']);
    const engine = await startEngine({ ...options, workerUrl: asking });
    expect(engine.isAlive).toBe(true);
    const running = draw(engine, { steps: 100 });
    channel.postMessage('die');
    await expect(running).rejects.toMatchObject({ name: 'EngineLost', retryable: true });
    expect(engine.isAlive).toBe(false);
    await expect(draw(engine)).rejects.toMatchObject({
      name: 'EngineLost',
      retryable: true,
      message: expect.stringContaining('made not to start'),
    });
    expect(engine.isAlive).toBe(false);
    expect((await draw(engine)).width).toBe(64);
    expect(engine.isAlive).toBe(true);
    expect(question.times).toBe(5);
    expect(await engine.close()).toBe(true);
    channel.close();
  });

  it('closes a thread that has only begun to start', async () => {
    const [channel, question] = askingThread(['yes']);
    const engine = await startEngine({ ...options, workerUrl: asking });
    channel.postMessage('die');
    await vi.waitUntil(() => question.times === 2, { timeout: 30_000 });
    let isLetStart = false;
    const closing = engine.close().then((isClosed) => ({ isClosed, isLetStart }));
    await new Promise(setImmediate);
    isLetStart = true;
    channel.postMessage('yes');
    expect(await closing).toEqual({ isClosed: true, isLetStart: true });
    channel.close();
  });

  it('closes in the middle of an image, and refuses new ones', async () => {
    const engine = await startEngine(options);
    const events = engine.generate({ ...request, steps: 100 }, { signal: never() });
    for (let event = await events.next(); !event.done; event = await events.next()) {
      if (event.value.type === 'step') break;
    }
    const closing = engine.close();
    await expect(draw(engine)).rejects.toMatchObject({ name: 'EngineLost' });
    expect(await closing).toBe(true);
    await expect(events.next()).rejects.toMatchObject({ name: 'EngineLost', retryable: true });
  });

  it('ends the start with a sentence where a folder of models is missing', async () => {
    const modelFolders = [join(folder, 'nowhere')];
    await expect(startEngine({ ...options, modelFolders })).rejects.toMatchObject({
      name: 'StartError',
      message: expect.stringContaining('nowhere'),
    });
  });
});
