import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Engine, startEngine } from '../src/inference/engine/engine.ts';
import type { ImageRequest } from '../src/inference/request.ts';
import { promptNumber } from './client.ts';
import type { Benchmark } from './figure.ts';
import { median, medianOf, percentile } from './figure.ts';

/** At the engine's door: an aborted `generate` ends when the engine is free for the next one. */
export const cancel: Benchmark = {
  title: 'Cancel → engine free: easel-mini, 256 px',
  async run({ isQuick }) {
    const rounds = isQuick ? 3 : 24;
    const models = fileURLToPath(new URL('../models', import.meta.url));
    const engine = await startEngine({ modelFolders: [models], provider: 'cpu', threads: 0 });
    try {
      const stepMs = median(await stepTimes(engine, isQuick ? 10 : 60));
      const denoising: number[] = [];
      const decoding: number[] = [];
      for (let round = 0; round < rounds; round++) {
        // Somewhere in the step: the same places in every run.
        const intoStep = ((round * 7) % 10) * 0.1 * stepMs;
        denoising.push(await cancelAfter(engine, { steps: 100, until: 3 + (round % 3) }, intoStep));
      }
      for (let round = 0; round < rounds / 4; round++) {
        decoding.push(await cancelAfter(engine, { steps: 1, until: 1 }, 2));
      }
      return [
        { what: 'one step, for comparison', value: stepMs, unit: 'ms' },
        medianOf('while denoising', 'ms', denoising),
        {
          what: 'while denoising: p95, in steps',
          value: percentile(denoising, 0.95) / stepMs,
          unit: '×',
          atMost: 1,
        },
        medianOf('while decoding', 'ms', decoding),
      ];
    } finally {
      await engine.close();
    }
  },
};

const request: ImageRequest = {
  model: 'easel-mini',
  prompt: promptNumber(0),
  negativePrompt: '',
  cleanCaption: true,
  width: 256,
  height: 256,
  steps: 20,
  guidanceScale: 3,
  guidanceStart: 0,
  guidanceEnd: 1,
  sampler: 'DPMPP_2M',
  seed: 1,
  share: 'bench',
};

/** Milliseconds between two steps. */
async function stepTimes(engine: Engine, steps: number): Promise<number[]> {
  const ends: number[] = [];
  const { signal } = new AbortController();
  for await (const { type } of engine.generate({ ...request, steps }, { signal })) {
    if (type === 'step') ends.push(performance.now());
  }
  return ends.slice(1).map((end, index) => end - ends[index]!);
}

/** Milliseconds from the abort, some time after step `until`, to the end of the iteration. */
async function cancelAfter(
  engine: Engine,
  { steps, until }: { steps: number; until: number },
  laterMs: number,
): Promise<number> {
  const controller = new AbortController();
  let abortedAt = 0;
  let aborting: Promise<void> | undefined;
  for await (const event of engine.generate({ ...request, steps }, { signal: controller.signal })) {
    if (event.type !== 'step' || event.step !== until) continue;
    aborting = delay(laterMs).then(() => {
      abortedAt = performance.now();
      controller.abort();
    });
  }
  const freeAt = performance.now();
  if (!controller.signal.aborted) throw new Error('Expected to cancel it, but it had finished');
  await aborting;
  return freeAt - abortedAt;
}
