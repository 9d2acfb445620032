/** Events that are made into answers at once. */
const atOnce = 32;
/** An event that takes longer to be answered, or taken by its client, holds up no others. In milliseconds. */
const longestMs = 50;

const waiting: (() => void)[] = [];
let running = 0;
let isPlanned = false;

/** Those of one turn together, so that what they load is loaded for all of them at once. */
function begin(): void {
  if (isPlanned || waiting.length === 0 || running >= atOnce) return;
  isPlanned = true;
  setImmediate(() => {
    isPlanned = false;
    const next = waiting.splice(0, atOnce - running);
    running += next.length;
    for (const resume of next) resume();
  });
}

/** Resolves when it is this one's turn; `end` gives the turn to the next one. */
async function turn(): Promise<{ end: () => void }> {
  await new Promise<void>((resume) => {
    waiting.push(resume);
    begin();
  });
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    running--;
    begin();
  };
  const timer = setTimeout(end, longestMs);
  return { end };
}

/**
 * The events of a subscription, each in its turn among those of all others: thousands of viewers may have hundreds of events to
 * catch up with, and a request that comes meanwhile must not wait for all of them.
 */
export function inTurn<Event>(
  source: AsyncGenerator<Event, void, void>,
): AsyncGenerator<Event, void, void> {
  let end = () => {};
  return {
    async next() {
      end(); // The event before was answered.
      const result = await source.next();
      if (!result.done) ({ end } = await turn());
      return result;
    },
    return() {
      end();
      return source.return();
    },
    throw: (error: unknown) => source.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => void (await source.return()),
  } as AsyncGenerator<Event, void, void>;
}
