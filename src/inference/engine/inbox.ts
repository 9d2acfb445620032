/** Values from another thread, for one reader. Few: nothing is dropped, nothing holds the sender up. */
export type Inbox<T> = {
  put(value: T): void;
  /** The last word; later ones, and later values, count for nothing. */
  end(error: Error | null): void;
  hasEnded(): boolean;
  /** Resolves with the end, whatever it was. */
  readonly ended: Promise<void>;
  /** What was put, until the end; throws its error. */
  events(): AsyncGenerator<T, void, void>;
};

export function createInbox<T>(): Inbox<T> {
  const values: T[] = [];
  let end: { error: Error | null } | undefined;
  let wake: () => void = () => undefined;
  let tellEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    tellEnded = resolve;
  });
  return {
    put(value) {
      if (end === undefined) values.push(value);
      wake();
    },
    end(error) {
      end ??= { error };
      tellEnded();
      wake();
    },
    hasEnded: () => end !== undefined,
    ended,
    async *events() {
      for (;;) {
        while (values.length > 0) yield values.shift()!;
        if (end !== undefined) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (end.error !== null) throw end.error;
    },
  };
}
