import type { EngineEvent, Generate, ImageRequest } from '../../src/inference/request.ts';

/** An engine that goes on only when the test says so. */
export type Stepwise = {
  readonly generate: Generate;
  /** Resolves with the request once an image is under way that nobody has waited for yet. */
  started(): Promise<ImageRequest>;
  /** Every image under way may take this many more steps. */
  advance(steps: number): void;
  /** From now on nothing waits. */
  release(): void;
};

const provenance = {
  modelSha256: 'a'.repeat(64),
  textEncoderSha256: 'b'.repeat(64),
  vaeSha256: 'c'.repeat(64),
  runtime: 'none',
  executionProvider: 'cpu',
  precision: 'F32',
  engineVersion: '0.0.0',
};

export function createStepwise(): Stepwise {
  const starts: ImageRequest[] = [];
  const waiters: ((request: ImageRequest) => void)[] = [];
  const wakers = new Set<() => void>();
  let allowed = 0;

  const announce = (request: ImageRequest) => {
    const waiter = waiters.shift();
    if (waiter) waiter(request);
    else starts.push(request);
  };
  const wake = () => {
    for (const waker of [...wakers]) waker();
  };
  const mayTake = async (step: number, signal: AbortSignal) => {
    while (step > allowed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const waker = () => {
          wakers.delete(waker);
          signal.removeEventListener('abort', waker);
          resolve();
        };
        wakers.add(waker);
        signal.addEventListener('abort', waker, { once: true });
      });
    }
  };

  return {
    async *generate(request, { signal, demand }): AsyncGenerator<EngineEvent, void, void> {
      const base = allowed === Number.POSITIVE_INFINITY ? 0 : allowed;
      announce(request);
      yield { type: 'stage', stage: 'DENOISING' };
      for (let step = 1; step <= request.steps; step++) {
        await mayTake(base + step, signal);
        if (signal.aborted) return;
        const isWanted = demand !== undefined && Atomics.load(demand.cell, 0) !== 0;
        const frame = isWanted ? { width: 8, height: 8, rgb: pixels(8, 8, step) } : null;
        yield { type: 'step', step, steps: request.steps, frame };
      }
      const { width, height } = request;
      const rgb = pixels(width, height, request.seed % 200);
      yield { type: 'image', width, height, rgb, provenance, timings: [] };
    },
    started: () => {
      const start = starts.shift();
      return start ? Promise.resolve(start) : new Promise((resolve) => waiters.push(resolve));
    },
    advance(steps) {
      allowed += steps;
      wake();
    },
    release() {
      allowed = Number.POSITIVE_INFINITY;
      wake();
    },
  };
}

function pixels(width: number, height: number, tone: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + tone) % 256);
}
