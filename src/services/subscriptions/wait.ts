import { DomainError } from '../../errors.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import { isFinal } from '../generations/state.ts';
import type { Audience } from './fan-out.ts';

export class TooManyWaits extends DomainError {
  constructor(max: number) {
    super(
      'RATE_LIMITED',
      `Expected fewer than ${max} open waits, but got ${max}: subscribe to generationEvents, or ask again`,
      { path: ['waitSeconds'], max, got: max, retryAfter: 1 },
    );
  }
}

export type Waits = {
  /** Waits that are open now. */
  readonly open: number;
  /** Runs `wait` in one of the places. @throws TooManyWaits before it is run */
  within<T>(wait: () => Promise<T>): Promise<T>;
};

/** Places for requests that stay open: each holds a connection. */
export function createWaits(max: number): Waits {
  let open = 0;
  return {
    get open() {
      return open;
    },
    async within(wait) {
      if (open >= max) throw new TooManyWaits(max);
      open += 1;
      try {
        return await wait();
      } finally {
        open -= 1;
      }
    },
  };
}

/** The row when it has ended, after `seconds`, or once `signal` aborts: whatever comes first. */
export async function waitForEnd(
  { client, audience }: { client: PrismaClient; audience: Audience },
  generation: Generation,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<Generation> {
  const { id, ownerId } = generation;
  const read = () => client.generation.findUniqueOrThrow({ where: { id } });
  let wake = () => {};
  let isOver = signal.aborted;
  const end = () => {
    isOver = true;
    wake();
  };
  const timer = setTimeout(end, seconds * 1000);
  signal.addEventListener('abort', end);
  const listener = { logged: () => wake(), progress: () => {} };
  const leave = await audience.join(ownerId, { type: 'generation', id }, listener);
  try {
    for (;;) {
      const news = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // Read after listening: an end in between is in the row, a later one is heard.
      const row = await read();
      if (isOver || isFinal(row.status)) return row;
      await news;
    }
  } finally {
    leave();
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
