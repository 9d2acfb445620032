import { DomainError } from '../errors.ts';
import type { Cost } from './cost.ts';
import { admissionLimits } from './limits.ts';

/**
 * Lets operations run whose costs together stay within bounds; the others wait, those of each connection in turn. Small
 * operations have bounds of their own, and wait for no large one.
 */
export type Admission = {
  /**
   * Resolves when the operation may run; it has ended when `release` is called.
   * @throws DomainError RATE_LIMITED after too long a wait, or where `signal` aborts
   */
  enter(cost: Cost, options: { key: object; signal: AbortSignal }): Promise<Release>;
};
export type Release = () => void;

type Waiting = { readonly share: number; readonly admit: (release: Release) => void };

export function createAdmission(): Admission {
  const { upTo, small, large } = admissionLimits;
  const lanes = { small: createLane(small), large: createLane(large) };
  const isSmall = ({ bytes, statements, fields }: Cost) =>
    bytes <= upTo.bytes && statements <= upTo.statements && fields <= upTo.fields;
  return {
    enter: (cost, options) => lanes[isSmall(cost) ? 'small' : 'large'].enter(cost, options),
  };
}

function createLane(capacity: Pick<Cost, 'bytes' | 'statements'>): Admission {
  /** By connection, in the order of their turns. */
  const queues = new Map<object, Waiting[]>();
  let running = 0;

  const shareOf = ({ bytes, statements }: Cost) =>
    Math.min(1, Math.max(bytes / capacity.bytes, statements / capacity.statements));

  const take = (share: number): Release => {
    let isTaken = true;
    running += share;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      running -= share;
      next();
    };
  };
  const next = () => {
    for (;;) {
      const [first] = queues;
      if (first === undefined) return;
      const [key, queue] = first;
      const [waiting] = queue;
      // Sums of fractions: what has ended may leave a rest.
      if (waiting === undefined || running + waiting.share > 1 + 1e-9) return;
      queue.shift();
      queues.delete(key); // To the end of the order, where more of it waits.
      if (queue.length > 0) queues.set(key, queue);
      waiting.admit(take(waiting.share));
    }
  };

  return {
    enter(cost, { key, signal }) {
      return new Promise((resolve, reject) => {
        const leave = () => {
          const queue = queues.get(key)?.filter((one) => one !== waiting) ?? [];
          if (queue.length > 0) queues.set(key, queue);
          else queues.delete(key);
          settled();
          reject(tooLate());
          next();
        };
        const timer = setTimeout(leave, admissionLimits.waitMs);
        const settled = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', leave);
        };
        const waiting: Waiting = {
          share: shareOf(cost),
          admit(release) {
            settled();
            resolve(release);
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        queues.set(key, [...(queues.get(key) ?? []), waiting]);
        next();
      });
    },
  };
}

function tooLate(): DomainError {
  const seconds = admissionLimits.waitMs / 1000;
  return new DomainError(
    'RATE_LIMITED',
    `Expected to begin within ${seconds} s, but larger operations run: ask for less, or come again`,
    { retryAfter: seconds },
  );
}
