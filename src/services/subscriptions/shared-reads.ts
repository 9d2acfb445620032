/** A read by its key: whoever asks before it has begun gets the same one. */
export type SharedReads<Result> = (key: string, read: () => Promise<Result>) => Promise<Result>;

/**
 * Reads one after the other, first come first served. After a restart all viewers come back at once: those of the same things
 * share a read, and requests that come meanwhile do not stand behind all of them.
 */
export function createSharedReads<Result>(): SharedReads<Result> {
  /** Of reads that have not begun. */
  const waiting = new Map<string, Promise<Result>>();
  let last: Promise<unknown> = Promise.resolve();
  return (key, read) => {
    const known = waiting.get(key);
    if (known) return known;
    const answer = last.then(() => {
      waiting.delete(key); // Whoever asks from now on might need something newer.
      return read();
    });
    last = answer.catch(() => {});
    waiting.set(key, answer);
    return answer;
  };
}
