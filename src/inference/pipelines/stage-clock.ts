import type { Stage } from '../request.ts';

/** Milliseconds from one stage to the next. */
export function createStageClock(now = () => performance.now()) {
  const timings: { stage: Stage; milliseconds: number }[] = [];
  let since = now();
  const settle = () => {
    const last = timings.at(-1);
    if (last !== undefined) last.milliseconds = now() - since;
    since = now();
  };
  return {
    enter(stage: Stage) {
      settle();
      timings.push({ stage, milliseconds: 0 });
      return { type: 'stage', stage } as const;
    },
    stop() {
      settle();
      return timings;
    },
  };
}
