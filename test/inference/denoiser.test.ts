import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTransformer } from '../../src/inference/checkpoints/transformer.ts';
import {
  type Conditioning,
  loadTransformer,
  type Transformer,
} from '../../src/inference/networks/transformer.ts';
import { createDenoiser, isGuided } from '../../src/inference/pipelines/denoiser.ts';
import { denoiseSteps } from '../../src/inference/pipelines/denoising.ts';
import { createTurns, type Job } from '../../src/inference/pipelines/turns.ts';
import { initialLatents, stepNoise } from '../../src/inference/sampling/latents.ts';
import { cleanEstimate, evenPoints, type Point } from '../../src/inference/sampling/points.ts';
import { createSchedule } from '../../src/inference/sampling/schedule.ts';
import { dpmSolverMultistep } from '../../src/inference/sampling/scheduler-classes.ts';
import { dpmpp2m, type SampleOptions } from '../../src/inference/sampling/solvers.ts';
import { cpu } from '../support/golden.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-denoiser-'));
const schedule = createSchedule({ options: {} }, dpmSolverMultistep);
const side = 8;

let transformer: Transformer;
let conditioning: Conditioning;
let unconditional: Conditioning;
let turns: string[];
let line: ReturnType<typeof createTurns>;

beforeAll(async () => {
  const model = writeRandomModel(join(folder, 'random'));
  transformer = await loadTransformer(await openTransformer(join(model, 'transformer')), cpu);
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
        perturbedScale: 0,
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
    const size = { height: side, width: side };
    const [conditional, away] = (await transformer.predict([
      { latents, ...size, timestep: 500, conditioning },
      { latents, ...size, timestep: 500, conditioning: unconditional },
    ])) as [Float32Array, Float32Array];
    const guided = await createDenoiser(line).denoise({
      job: jobOf('a'),
      transformer,
      latents,
      latentHeight: side,
      latentWidth: side,
      at,
      conditioning,
      guidance: { scale: 3, unconditional },
      perturbedScale: 0,
    });
    const noise = away.map((u, i) => u + 3 * (conditional[i]! - u));
    const expected = cleanEstimate(latents, noise, at);
    expect(Math.max(...guided.map((x, i) => Math.abs(x - expected[i]!)))).toBeLessThan(1e-5);
  });

  it('acts between the fractions that were asked for', () => {
    const acting = (guidanceStart: number, guidanceEnd: number) =>
      Array.from({ length: 10 }, (_, i) => i + 1).filter((step) =>
        isGuided({ guidanceStart, guidanceEnd }, step, 10),
      );
    expect(acting(0, 1)).toHaveLength(10);
    expect(acting(0, 0.3)).toEqual([1, 2, 3]);
    expect(acting(0.7, 1)).toEqual([8, 9, 10]);
    expect(acting(0.5, 0.5)).toEqual([]);
  });

  it('acts by the step, however often a sampler evaluates the model in one', async () => {
    const guidedAt: string[] = [];
    const predict: Transformer['predict'] = async (inputs) => {
      guidedAt.push(`${inputs[0]!.timestep}${inputs.length > 1 ? ' guided' : ''}`);
      return inputs.map(({ latents }) => latents);
    };
    async function* twice({ points, latents, denoise }: SampleOptions) {
      for (let i = 0; i < points.length - 1; i++) {
        await denoise(latents, points[i]!);
        const denoised = await denoise(latents, points[i]!);
        yield { denoised, latents };
      }
    }
    const path = evenPoints(schedule, 4); // 999, 749, 500, 250
    const steps = async (points: readonly Point[]) => {
      const denoising = denoiseSteps({
        job: jobOf('a'),
        request: {
          ...{ seed: 1, width: 8 * side, height: 8 * side, steps: 4 },
          ...{ guidanceScale: 4.5, guidanceStart: 0.5, guidanceEnd: 1 },
        },
        denoiser: createDenoiser(line),
        transformer: { predict },
        schedule,
        sample: twice,
        points,
        latents: initialLatents(1, { width: 8 * side, height: 8 * side }),
        conditioning,
        unconditional,
        perturbedScale: 0,
      });
      const numbers: number[] = [];
      for await (const { step } of denoising) numbers.push(step);
      return numbers;
    };
    expect(await steps(path)).toEqual([1, 2, 3, 4]);
    expect(guidedAt.splice(0)).toEqual([
      ...['999', '999', '749', '749', '500 guided', '500 guided', '250 guided', '250 guided'],
    ]);
    // The end of the same path, as from an image: the same steps are guided.
    expect(await steps(path.slice(1))).toEqual([2, 3, 4]);
    expect(guidedAt).toEqual([
      ...['749', '749', '500 guided', '500 guided', '250 guided', '250 guided'],
    ]);
  });

  it.each(['conditional', 'unconditional'])(
    'refuses a %s prediction that is no number',
    async (which) => {
      const poisoned = which === 'conditional' ? conditioning : unconditional;
      const latents = initialLatents(3, { width: 8 * side, height: 8 * side });
      const predict: Transformer['predict'] = async (inputs) =>
        inputs.map(({ conditioning: prompt }) =>
          Float32Array.from(latents, () => (prompt === poisoned ? Number.NaN : 1)),
        );
      const denoising = createDenoiser(line).denoise({
        job: jobOf('a'),
        transformer: { predict },
        latents,
        latentHeight: side,
        latentWidth: side,
        at,
        conditioning,
        guidance: { scale: 3, unconditional },
        perturbedScale: 0,
      });
      await expect(denoising).rejects.toMatchObject({ name: 'NotFinite', code: 'NOT_FINITE' });
    },
  );

  it('that is switched off leaves the conditional prediction, for half the work', async () => {
    const guided = await finish(jobOf('a'), 4, 1);
    const plain = await finish(jobOf('a'), 4, null);
    expect(Math.max(...plain.map((x, i) => Math.abs(x - guided[i]!)))).toBeLessThan(1e-4);
  });
});
