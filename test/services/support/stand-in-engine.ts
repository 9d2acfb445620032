import { DomainError } from '../../../src/errors.ts';
import type { Generate, ImageRequest } from '../../../src/inference/request.ts';

const sha256 = 'a'.repeat(64);
const provenance = {
  modelSha256: sha256,
  textEncoderSha256: sha256,
  vaeSha256: sha256,
  runtime: 'none',
  executionProvider: 'cpu',
  precision: 'F32',
  engineVersion: '0',
};

/** Before each step of an image (1 to steps): what it waits for, or fails with. */
export type Gate = (request: ImageRequest, step: number) => unknown;

/** An engine without networks: an image's pixels are its seed's. */
export function draws(gate: Gate = () => {}): Generate {
  return async function* (request, { signal, demand }) {
    const { width, height, steps, seed } = request;
    const end = aborted(signal);
    yield { type: 'stage', stage: 'DENOISING' };
    for (let step = 1; step <= steps; step++) {
      await Promise.race([gate(request, step), end]);
      if (signal.aborted) return;
      const wanted = demand !== undefined && Atomics.load(demand.cell, 0) > 0;
      const rgb = new Uint8Array(8 * 8 * 3).fill(step);
      yield { type: 'step', step, steps, frame: wanted ? { width: 8, height: 8, rgb } : null };
    }
    const rgb = new Uint8Array(width * height * 3).fill(seed % 256);
    const timings = [{ stage: 'DENOISING', milliseconds: 5 }] as const;
    yield { type: 'image', width, height, rgb, provenance, timings };
  };
}

/** A gate that stands shut at one step until it is opened, and says when an image has come to it. */
export function shutAt(step: number, isFor: (request: ImageRequest) => boolean = () => true) {
  let open = () => {};
  let arrive = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const gate: Gate = (request, at) => {
    if (at !== step || !isFor(request)) return;
    arrive();
    return opened;
  };
  return { gate, arrived, open };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** As the engine fails when its thread has died. */
export class EngineLost extends DomainError {
  readonly retryable = true;
  constructor() {
    super('ENGINE_FAILED', 'Expected the engine to live, but it died');
  }
}
