import { DomainError } from '../../errors.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import { isFinal } from '../generations/status.ts';
import type { FanOut } from './fan-out.ts';

/** Requests that stay open until a generation has ended. Each holds a connection, so their number is bounded. */
export type Waits = {
  /**
   * Makes a generation, or finds one, then waits until it has ended, `seconds` have passed or `signal` aborts, and
   * gives its row. @throws DomainError (RATE_LIMITED) before `make` is called
   */
  until<Made extends { readonly generation: Generation }>(
    make: () => Promise<Made>,
    wait: {
      readonly seconds: number;
      readonly signal: AbortSignal;
      /** Row id of the user who waits. */
      readonly ownerId: string;
      /** Called when it begins to wait. */
      readonly onWait?: (() => void) | undefined;
    },
  ): Promise<Made>;
};

export function createWaits(deps: {
  readonly client: PrismaClient;
  readonly fanOut: FanOut;
  readonly maxOpenWaits: number;
  readonly maxOpenWaitsPerUser: number;
}): Waits {
  /** Row ids of the users who wait, once for each open wait. */
  const open: string[] = [];
  return {
    async until(make, wait) {
      const own = open.filter((ownerId) => ownerId === wait.ownerId).length;
      if (own >= deps.maxOpenWaitsPerUser) throw tooMany(deps.maxOpenWaitsPerUser, ' of yours');
      if (open.length >= deps.maxOpenWaits) throw tooMany(deps.maxOpenWaits);
      open.push(wait.ownerId);
      try {
        const made = await make();
        wait.onWait?.();
        return { ...made, generation: await waitForEnd(deps, made.generation, wait) };
      } finally {
        open.splice(open.indexOf(wait.ownerId), 1);
      }
    },
  };
}

function tooMany(max: number, whose = ''): DomainError {
  return new DomainError(
    'RATE_LIMITED',
    `Expected fewer than ${max} open requests with waitSeconds${whose}, but got ${max}: subscribe to generationEvents, or ask again`,
    { path: ['waitSeconds'], max, got: max, retryAfter: 1 },
  );
}

async function waitForEnd(
  { client, fanOut }: { client: PrismaClient; fanOut: FanOut },
  { id, ownerId }: Generation,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<Generation> {
  const read = () => client.generation.findUniqueOrThrow({ where: { id } });
  let wake = () => {};
  let isOver = signal.aborted;
  const end = () => {
    isOver = true;
    wake();
  };
  const timer = setTimeout(end, seconds * 1000);
  signal.addEventListener('abort', end);
  const listener = { logged: () => wake(), progress: () => {}, frame: () => {} };
  const leave = await fanOut.join(ownerId, { type: 'generation', id }, listener);
  try {
    for (;;) {
      const news = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // Read after listening: an end in between is in the row, a later one is received.
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
