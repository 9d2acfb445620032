import { LRUCache } from 'lru-cache';
import { DomainError } from '../errors.ts';
import type { Cost } from './cost.ts';
import { admissionLimits } from './limits.ts';

/**
 * Lets operations run whose costs together stay within bounds; the others wait, those of each user or connection (`key`) in turn. Tiny
 * and small operations have bounds of their own, and wait for no larger one.
 */
export type Admission = {
  /**
   * Resolves when the operation may run; it has ended when `release` is called.
   * @throws DomainError RATE_LIMITED after too long a wait, or where `signal` aborts
   */
  enter(
    cost: Cost,
    options: { key: object | string; signal: AbortSignal; isSubscription?: boolean },
  ): Promise<Release>;
};
export type Release = () => void;

type Waiting = {
  readonly share: number;
  readonly admit: (release: Release) => void;
  /** How often there was no room for it when it was first in turn. */
  passed: number;
};

export function createAdmission(): Admission {
  const { tinyUpTo, smallUpTo, waitMs, subscriptionWaitMs } = admissionLimits;
  const lanes = {
    tiny: createLane(admissionLimits.tiny, waitMs),
    small: createLane(admissionLimits.small, waitMs),
    large: createLane(admissionLimits.large, waitMs),
    subscriptions: createLane(admissionLimits.subscriptions, subscriptionWaitMs),
  };
  const isUpTo = (cost: Cost, most: typeof tinyUpTo | typeof smallUpTo) =>
    cost.bytes <= most.bytes && cost.statements <= most.statements && cost.fields <= most.fields;
  const laneOf = (cost: Cost, isSubscription = false) => {
    if (isSubscription) return lanes.subscriptions;
    if (isUpTo(cost, tinyUpTo)) return lanes.tiny;
    return isUpTo(cost, smallUpTo) ? lanes.small : lanes.large;
  };
  return {
    enter: (cost, options) => laneOf(cost, options.isSubscription).enter(cost, options),
  };
}

function createLane(capacity: Pick<Cost, 'bytes' | 'statements'>, waitMs: number): Admission {
  const had = createHad();
  /** By whose they are, in the order of their turns. */
  const queues = new Map<object | string, Waiting[]>();
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
      setImmediate(next); // Others have their turn on the event loop in between.
    };
  };
  // Sums of fractions: what has ended may leave a rest.
  const fits = ({ share }: Waiting) => running + share <= 1 + 1e-9;
  const admit = (key: object | string, queue: Waiting[], waiting: Waiting) => {
    queue.shift();
    queues.delete(key); // To the end of the order, where more of it waits.
    if (queue.length > 0) queues.set(key, queue);
    had.add(key, waiting.share);
    waiting.admit(take(waiting.share));
  };
  /**
   * Of those whose connection or user has had least lately, the first in turn; while there is no room for it, others pass it,
   * but not for ever.
   */
  const admitOne = (): boolean => {
    let isFirst = true;
    const inOrder = [...queues].sort(([a], [b]) => had.of(a) - had.of(b));
    for (const [key, queue] of inOrder) {
      const [waiting] = queue;
      if (waiting === undefined) continue;
      if (fits(waiting)) {
        admit(key, queue, waiting);
        return true;
      }
      if (isFirst && ++waiting.passed > admissionLimits.passes) return false;
      isFirst = false;
    }
    return false;
  };
  const next = () => {
    while (admitOne());
  };

  return {
    enter(cost, { key, signal }) {
      return new Promise((resolve, reject) => {
        const leave = () => {
          const queue = queues.get(key)?.filter((one) => one !== waiting) ?? [];
          if (queue.length > 0) queues.set(key, queue);
          else queues.delete(key);
          settled();
          reject(tooLate(waitMs));
          next();
        };
        const timer = setTimeout(leave, waitMs);
        const settled = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', leave);
        };
        const waiting: Waiting = {
          share: shareOf(cost),
          passed: 0,
          admit(release) {
            settled();
            resolve(release);
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        if (signal.aborted) return leave();
        queues.set(key, [...(queues.get(key) ?? []), waiting]);
        next();
      });
    },
  };
}

/** After this what somebody has had counts half, in milliseconds. */
const halfLifeMs = 2_000;

/** What each has had lately. */
function createHad() {
  const sums = new LRUCache<object | string, { sum: number; atMs: number }>({ max: 10_000 });
  const of = (key: object | string) => {
    const known = sums.get(key);
    if (known === undefined) return 0;
    return known.sum * 0.5 ** ((performance.now() - known.atMs) / halfLifeMs);
  };
  return {
    of,
    add(key: object | string, share: number): void {
      sums.set(key, { sum: of(key) + share, atMs: performance.now() });
    },
  };
}

function tooLate(waitMs: number): DomainError {
  const seconds = waitMs / 1000;
  return new DomainError(
    'RATE_LIMITED',
    `Expected to begin within ${seconds} s, but larger operations run: ask for less, or come again`,
    { retryAfter: seconds },
  );
}
