/** Runs work, no more than a few pieces at once; the others wait, first come first served. */
export type FewAtOnce = <Result>(work: () => Promise<Result>) => Promise<Result>;

export function createFewAtOnce(most: number): FewAtOnce {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resume) => waiting.push(resume));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
