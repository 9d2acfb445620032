/** Work that holds the event loop for milliseconds: one piece at a time, and others have their turn in between. */
export type Turns = {
  take(work: () => void): void;
};

export function createTurns(): Turns {
  const waiting: (() => void)[] = [];
  let isPlanned = false;
  const plan = () => {
    if (isPlanned || waiting.length === 0) return;
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      const work = waiting.shift();
      plan();
      work?.();
    });
  };
  return {
    take(work) {
      waiting.push(work);
      plan();
    },
  };
}
