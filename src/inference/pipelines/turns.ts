/** An image under way, as those see it who share the engine out. */
export type Job = {
  /** Turns alternate between shares. */
  readonly share: string;
  /** Rises by age: in one share the oldest goes first. */
  readonly order: number;
  isCanceled(): boolean;
};

/** Thrown through a job to unwind it; nobody outside the engine's thread meets it. */
export class Canceled extends Error {
  override readonly name = 'Canceled';
}

export type Turns = {
  /**
   * Wait for a turn, and do `work` in it: nothing else computes meanwhile. Long work calls `pause`
   * between its pieces: that ends the turn, and waits for the next one.
   * @throws Canceled instead of beginning a turn, where the job is cancelled by then.
   */
  run<T>(job: Job, work: (pause: () => Promise<void>) => Promise<T>): Promise<T>;
  /** Let go of those who wait and are cancelled. */
  sweep(): void;
};

type Waiting = { readonly job: Job; begin(): void; leave(): void };

/** Shares that are remembered as served; the rest count as new. */
const maxShares = 1000;

/**
 * One computation at a time, handed out fairly: to the share that was served longest ago, in it to
 * the oldest job. Between two turns the event loop goes round once, so that messages come in.
 * @param onTurn sees each turn as it begins
 */
export function createTurns({ onTurn }: { onTurn?: (job: Job) => void } = {}): Turns {
  let waiting: Waiting[] = [];
  let isTaken = false;
  let isScheduled = false;
  /** Served longest ago first. */
  const served = new Set<string>();

  function schedule(): void {
    if (isScheduled || isTaken || waiting.length === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      sweep();
      const next = pick();
      if (next === undefined) return;
      waiting = waiting.filter((other) => other !== next);
      isTaken = true;
      remember(next.job.share);
      onTurn?.(next.job);
      next.begin();
    });
  }

  function pick(): Waiting | undefined {
    const lastServed = new Map([...served].map((share, index) => [share, index]));
    const rank = ({ job }: Waiting) => lastServed.get(job.share) ?? -1;
    const [first, ...others] = waiting;
    return others.reduce((best, one) => {
      const sooner =
        one.job.share === best?.job.share
          ? one.job.order < best.job.order
          : rank(one) < rank(best!);
      return sooner ? one : best;
    }, first);
  }

  function remember(share: string): void {
    served.delete(share);
    served.add(share);
    for (const oldest of served) {
      if (served.size <= maxShares) break;
      served.delete(oldest);
    }
  }

  function sweep(): void {
    const left = waiting.filter(({ job }) => job.isCanceled());
    if (left.length === 0) return;
    waiting = waiting.filter((one) => !left.includes(one));
    for (const one of left) one.leave();
  }

  function take(job: Job): Promise<void> {
    return new Promise((begin, reject) => {
      if (job.isCanceled()) return reject(new Canceled());
      waiting.push({ job, begin, leave: () => reject(new Canceled()) });
      schedule();
    });
  }

  function give(): void {
    isTaken = false;
    schedule();
  }

  return {
    async run(job, work) {
      await take(job);
      let holds = true;
      try {
        return await work(async () => {
          holds = false;
          give();
          await take(job);
          holds = true;
        });
      } finally {
        if (holds) give();
      }
    },
    sweep,
  };
}
