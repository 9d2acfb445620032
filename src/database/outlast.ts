import { setTimeout as delay } from 'node:timers/promises';
import { databaseFault } from '../database-error.ts';

const firstPauseMs = 200;
const longestPauseMs = 5_000;

/**
 * Repeats `work` for as long as the database does not answer, until `signal` aborts: for what nobody would ask for again.
 * A commit whose answer was lost may have happened, so `work` must find out: it is told which attempt it is.
 * @throws what `work` throws for any other reason, or when aborted
 */
export async function outlast<Result>(
  work: (attempt: number) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (signal.aborted || databaseFault(error) !== 'unavailable') throw error;
    }
    const pause = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs);
    await delay(pause, undefined, { signal }).catch(() => {}); // Aborted: the last attempt follows.
  }
}
