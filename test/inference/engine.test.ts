import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, type EngineOptions, startEngine } from '../../src/inference/engine.ts';
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
});
