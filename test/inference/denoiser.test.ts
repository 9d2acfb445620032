import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Conditioning,
  loadTransformer,
  type Transformer,
} from '../../src/inference/networks/transformer.ts';
import { createDenoiser, isGuided } from '../../src/inference/pipelines/denoiser.ts';
import { createTurns, type Job } from '../../src/inference/pipelines/turns.ts';
import { initialLatents, stepNoise } from '../../src/inference/sampling/latents.ts';
import { cleanEstimate, evenPoints } from '../../src/inference/sampling/points.ts';
import { dpmpp2m } from '../../src/inference/sampling/samplers.ts';
import { createSchedule, parseConfig } from '../../src/inference/sampling/schedule.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-denoiser-'));
const schedule = createSchedule(parseConfig('{}'));
const side = 8;

let transformer: Transformer;
let conditioning: Conditioning;
let unconditional: Conditioning;
let turns: string[];
let line: ReturnType<typeof createTurns>;

beforeAll(async () => {
  const model = writeRandomModel(join(folder, 'random'));
  transformer = await loadTransformer(join(model, 'transformer'), { provider: 'cpu', threads: 1 });
  const caption = (seed: number, tokens: number) => ({
    data: stepNoise(seed, 1, tokens * transformer.config.captionChannels),
    tokens,
  });
  conditioning = await transformer.condition(caption(1, 5));
  unconditional = await transformer.condition(caption(2, 1));
});
afterAll(async () => {
  await transformer.release();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  turns = [];
  line = createTurns({ onTurn: ({ share }) => turns.push(share) });
});

let lastOrder = 0;
const jobOf = (share: string, isCanceled = () => false): Job => ({
  share,
  order: ++lastOrder,
  isCanceled,
});

async function* walk(job: Job, steps: number, scale: number | null = 4.5) {
  const denoiser = createDenoiser(line);
  yield* dpmpp2m({
    latents: initialLatents(1, { width: 8 * side, height: 8 * side }),
    points: evenPoints(schedule, steps),
    schedule,
    noise: () => new Float32Array(),
    denoise: (latents, at) =>
      denoiser.denoise({
        job,
        transformer,
        latents,
        latentHeight: side,
        latentWidth: side,
        at,
        conditioning,
        guidance: scale === null ? null : { scale, unconditional },
      }),
  });
}

async function finish(job: Job, steps: number, scale?: number | null): Promise<Float32Array> {
  let result = new Float32Array();
  for await (const { latents } of walk(job, steps, scale)) result = Float32Array.from(latents);
  return result;
}

describe('turns', () => {
  it('alternate between shares, so that a short image overtakes a long one', async () => {
    const ends: string[] = [];
    const long = finish(jobOf('a'), 50).then(() => ends.push('a'));
    while (turns.length < 10) await new Promise(setImmediate);
    const short = finish(jobOf('b'), 4).then(() => ends.push('b'));
    const [from] = [turns.length];
    await Promise.all([long, short]);
    expect(ends).toEqual(['b', 'a']);
    const during = turns.slice(from, turns.lastIndexOf('b') + 1).join('');
    expect(during).toMatch(/^a?(ba)*b$/);
    expect(during.replaceAll('a', '')).toBe('bbbb');
  });

  it('go to the oldest image inside a share, whatever the shares beside it have waiting', async () => {
    const ends: string[] = [];
    const end = (name: string) => () => ends.push(name);
    await Promise.all([
      finish(jobOf('a'), 4).then(end('a1')),
      finish(jobOf('a'), 4).then(end('a2')),
      finish(jobOf('a'), 4).then(end('a3')),
      finish(jobOf('b'), 4).then(end('b1')),
    ]);
    expect(ends).toEqual(['a1', 'b1', 'a2', 'a3']);
  });

  it('are not taken by a cancelled image again, and the others go on', async () => {
    let isCanceled = false;
    const canceled = (async () => {
      let steps = 0;
      for await (const _ of walk(
        jobOf('a', () => isCanceled),
        50,
      )) {
        if (++steps === 3) isCanceled = true;
      }
    })();
    const other = finish(jobOf('b'), 6);
    await expect(canceled).rejects.toMatchObject({ name: 'Canceled' });
    await other;
    expect(turns.filter((share) => share === 'a')).toHaveLength(3);
    expect(turns.filter((share) => share === 'b')).toHaveLength(6);
  });

  it('go on after one has failed', async () => {
    const failing = line.run(jobOf('a'), () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await line.run(jobOf('a'), () => Promise.resolve(1))).toBe(1);
  });

  it('are given away between the pieces of long work', async () => {
    const pieces: string[] = [];
    const work = (share: string) =>
      line.run(jobOf(share), async (pause) => {
        for (let piece = 0; piece < 3; piece++) {
          if (piece > 0) await pause();
          pieces.push(share);
        }
      });
    await Promise.all([work('a'), work('b')]);
    expect(pieces.join('')).toBe('ababab');
  });

  it('let messages in between', async () => {
    let messages = 0;
    const { port1, port2 } = new MessageChannel();
    port2.on('message', () => {
      messages++;
      port1.postMessage(null);
    });
    port1.on('message', () => port2.postMessage(null));
    port1.postMessage(null);
    await finish(jobOf('a'), 10);
    port1.close();
    expect(messages).toBeGreaterThanOrEqual(5);
  });
});

describe('guidance', () => {
  const at = evenPoints(schedule, 2)[1]!; // timestep 500

  it('is the unconditional prediction and so many times the way to the conditional one', async () => {
    const latents = initialLatents(3, { width: 8 * side, height: 8 * side });
    const predict = (prompt: Conditioning) => transformer.predict(latents, side, side, 500, prompt);
    const [conditional, away] = [await predict(conditioning), await predict(unconditional)];
    const guided = await createDenoiser(line).denoise({
      job: jobOf('a'),
      transformer,
      latents,
      latentHeight: side,
      latentWidth: side,
      at,
      conditioning,
      guidance: { scale: 3, unconditional },
    });
    const noise = away.map((u, i) => u + 3 * (conditional[i]! - u));
    const expected = cleanEstimate(latents, noise, at);
    expect(Math.max(...guided.map((x, i) => Math.abs(x - expected[i]!)))).toBeLessThan(1e-5);
  });

  it('acts at scales above 1, between the fractions that were asked for', () => {
    const acting = (guidanceScale: number, guidanceStart: number, guidanceEnd: number) =>
      Array.from({ length: 10 }, (_, i) => i + 1).filter((step) =>
        isGuided({ guidanceScale, guidanceStart, guidanceEnd }, step, 10),
      );
    expect(acting(1, 0, 1)).toEqual([]);
    expect(acting(4.5, 0, 1)).toHaveLength(10);
    expect(acting(4.5, 0, 0.3)).toEqual([1, 2, 3]);
    expect(acting(4.5, 0.7, 1)).toEqual([8, 9, 10]);
    expect(acting(4.5, 0.5, 0.5)).toEqual([]);
  });

  it.each(['conditional', 'unconditional'])(
    'refuses a %s prediction that is no number',
    async (which) => {
      const poisoned = which === 'conditional' ? conditioning : unconditional;
      const latents = initialLatents(3, { width: 8 * side, height: 8 * side });
      const predict: Transformer['predict'] = async (
        _latents,
        _height,
        _width,
        _timestep,
        prompt,
      ) => Float32Array.from(latents, () => (prompt === poisoned ? Number.NaN : 1));
      const denoising = createDenoiser(line).denoise({
        job: jobOf('a'),
        transformer: { predict },
        latents,
        latentHeight: side,
        latentWidth: side,
        at,
        conditioning,
        guidance: { scale: 3, unconditional },
      });
      await expect(denoising).rejects.toMatchObject({ name: 'NotFinite', code: 'ENGINE_FAILED' });
    },
  );

  it('that is switched off leaves the conditional prediction, for half the work', async () => {
    const guided = await finish(jobOf('a'), 4, 1);
    const plain = await finish(jobOf('a'), 4, null);
    expect(Math.max(...plain.map((x, i) => Math.abs(x - guided[i]!)))).toBeLessThan(1e-4);
  });
});
