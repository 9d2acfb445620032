import { DomainError } from '../../errors.ts';

/** Runs a few pieces of work at once; those of each key in turn. */
export type FairTurns = {
  /**
   * Resolves with what `work` gives. Work that nobody wants any more when its turn comes is not begun.
   * @throws DomainError RATE_LIMITED where too much waits already
   */
  run<Result>(
    key: string,
    options: { isWanted: () => boolean; work: () => Promise<Result> },
  ): Promise<Result | null>;
};

export function createFairTurns({
  atOnce,
  waiting: maxWaiting,
}: {
  atOnce: number;
  waiting: number;
}): FairTurns {
  /** In the order of their turns. */
  const queues = new Map<string, (() => void)[]>();
  let running = 0;
  let waiting = 0;

  const next = () => {
    while (running < atOnce) {
      const [first] = queues;
      if (first === undefined) return;
      const [key, queue] = first;
      const begin = queue.shift();
      queues.delete(key); // To the end of the order, where more of it waits.
      if (queue.length > 0) queues.set(key, queue);
      waiting--;
      begin?.();
    }
  };
  return {
    async run(key, { isWanted, work }) {
      if (waiting >= maxWaiting) throw tooMany(maxWaiting);
      await new Promise<void>((resolve) => {
        const queue = queues.get(key) ?? [];
        queue.push(() => {
          running++;
          resolve();
        });
        queues.set(key, queue);
        waiting++;
        next();
      });
      try {
        return isWanted() ? await work() : null;
      } finally {
        running--;
        next();
      }
    },
  };
}

function tooMany(max: number): DomainError {
  const text = `Expected at most ${max} renditions to wait, but so many do: come again`;
  return new DomainError('RATE_LIMITED', text, { max, retryAfter: 2 });
}
