/** Milliseconds that are left for the whole stop. */
export type Left = () => number;

/**
 * Closes one part. False where it did not end within what is left: then the process may only end.
 */
export type Close = (left: Left) => unknown;

/** What is to be closed, in the reverse of the order in which it was opened. */
export type Closing = {
  push(close: Close): void;
  /**
   * Closes everything once, whatever part of it throws; a second call gives the same promise. Gives whether every
   * part ended in time. @throws the first error of a part
   */
  closeAll(withinMs: number): Promise<boolean>;
};

/** One stack for a stop and for a start that fails half-way. */
export function createClosing(): Closing {
  const stack: Close[] = [];
  let closed: Promise<boolean> | undefined;
  const closeAll = async (withinMs: number) => {
    const deadline = performance.now() + withinMs;
    const left = () => Math.max(0, deadline - performance.now());
    const faults: unknown[] = [];
    let isClean = true;
    for (let close = stack.pop(); close !== undefined; close = stack.pop()) {
      try {
        if ((await close(left)) === false) isClean = false;
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
    return isClean;
  };
  return {
    push: (close) => stack.push(close),
    closeAll(withinMs) {
      closed ??= closeAll(withinMs);
      return closed;
    },
  };
}

/** Whether it ended in time; what it throws is thrown. */
export async function within(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const isInTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return isInTime;
}
