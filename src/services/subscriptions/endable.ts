/**
 * A stream that ends when it is told to, also while it waits for news: a plain async generator
 * would take `return()` only after its next event.
 */
export function endable<T>(
  make: (isEnded: () => boolean) => AsyncGenerator<T, void, void>,
  wake: () => void,
  signal: AbortSignal,
): AsyncGenerator<T, void, void> {
  let isEnded = signal.aborted;
  const inner = make(() => isEnded);
  const end = () => {
    isEnded = true;
    wake();
    signal.removeEventListener('abort', abort);
  };
  // Also where nobody asks for the next event: what the stream holds is let go.
  const abort = () => {
    end();
    void inner.return();
  };
  signal.addEventListener('abort', abort);
  return {
    async next() {
      if (isEnded) await inner.return();
      const result = await inner.next();
      if (result.done) end();
      return result;
    },
    async return() {
      end();
      return inner.return();
    },
    async throw(error: unknown) {
      end();
      return inner.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
