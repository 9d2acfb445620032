import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type EngineOptions, startEngine } from '../../src/inference/engine/engine.ts';
import { draw, never, request } from '../support/draw.ts';
import { writeRandomModel } from '../support/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'easel-thread-'));
const options: EngineOptions = { modelFolders: [folder], provider: 'cpu', threads: 1 };
beforeAll(() => {
  writeRandomModel(join(folder, 'random'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const gated = new URL('../support/gated-worker.mjs', import.meta.url);

/** Answers the starts of gated threads in order; starts after the last answer wait. */
function answerStarts(answers: readonly string[]) {
  const channel = new BroadcastChannel('engine');
  const question = { times: 0 };
  channel.onmessage = () => {
    const answer = answers[question.times++];
    if (answer !== undefined) channel.postMessage(answer);
  };
  return [channel, question] as const;
}

describe("the engine's thread", () => {
  it('fails running images when its thread crashes, and generates again soon', async () => {
    const once = join(folder, 'crashed');
    const workerUrl = new URL('../support/crash-after-steps-worker.mjs', import.meta.url);
    Object.assign(process.env, { CRASH_ONCE: once, CRASH_AFTER_STEPS: '3' });
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
    expect(reasons).toEqual(['made to crash']);
    expect((await draw(engine)).width).toBe(64);
    expect(await engine.close()).toBe(true);
  });

  it('fails waiting images while its thread cannot be started, and generates once it can', async () => {
    const channel = new BroadcastChannel('engine');
    let mayStart = true;
    let starts = 0;
    channel.onmessage = () => {
      starts++;
      channel.postMessage(mayStart ? 'yes' : 'no');
    };
    const engine = await startEngine({ ...options, workerUrl: gated });
    expect(engine.isAlive).toBe(true);
    // Long enough that it is not over before the thread is told to crash.
    const running = draw(engine, { steps: 100, width: 256, height: 256 });
    mayStart = false;
    channel.postMessage('crash');
    await expect(running).rejects.toMatchObject({ name: 'EngineLost', retryable: true });
    expect(engine.isAlive).toBe(false);
    await expect(draw(engine)).rejects.toMatchObject({
      name: 'EngineLost',
      retryable: true,
      message: expect.stringContaining('made not to start'),
    });
    expect(engine.isAlive).toBe(false);
    mayStart = true;
    // One whose start was refused just before may fail yet.
    await vi.waitFor(async () => expect((await draw(engine)).width).toBe(64), { timeout: 30_000 });
    expect(engine.isAlive).toBe(true);
    expect(starts).toBeGreaterThan(2);
    expect(await engine.close()).toBe(true);
    channel.close();
  });

  it('closes while a new thread is still starting', async () => {
    const [channel, question] = answerStarts(['yes']);
    const engine = await startEngine({ ...options, workerUrl: gated });
    channel.postMessage('crash');
    await vi.waitUntil(() => question.times === 2, { timeout: 30_000 });
    let isAllowed = false;
    const closing = engine.close().then((isClosed) => ({ isClosed, isAllowed }));
    await new Promise(setImmediate);
    isAllowed = true;
    channel.postMessage('yes');
    expect(await closing).toEqual({ isClosed: true, isAllowed: true });
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
});
