/** Values from another thread, for one reader. They are few: none is dropped, and `put` never waits. */
export type EventQueue<T> = {
  put(value: T): void;
  /** No more values, because of an error or null. What is put or ended later has no effect. */
  end(error: Error | null): void;
  hasEnded(): boolean;
  /** Resolves once `end` was called, with an error or without. */
  readonly ended: Promise<void>;
  /** The values, until the end; throws its error. */
  events(): AsyncGenerator<T, void, void>;
};

export function createEventQueue<T>(): EventQueue<T> {
  const values: T[] = [];
  let end: { error: Error | null } | undefined;
  let wake: () => void = () => undefined;
  let resolveEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  return {
    put(value) {
      if (end === undefined) values.push(value);
      wake();
    },
    end(error) {
      end ??= { error };
      resolveEnded();
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
