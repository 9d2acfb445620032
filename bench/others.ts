import { readFileSync } from 'node:fs';

type Ticks = { readonly at: number; readonly all: number; readonly own: number };

/**
 * How many cores other programs kept busy, from now to the call of what it returns: what a figure is
 * worth depends on it. Ours are this process and those that it has started and that have ended by then.
 */
export function watchOthers(): () => number {
  const before = ticks();
  return () => {
    const after = ticks();
    const seconds = (after.at - before.at) / 1000;
    const others = after.all - before.all - (after.own - before.own);
    return Math.max(0, others / 100 / seconds);
  };
}

/** Hundredths of a second that were computed since the machine, and since this process, started. */
function ticks(): Ticks {
  // user, nice, system, idle, iowait, irq, softirq; then what the hypervisor took, which nobody here had.
  const [user, nice, system, , , irq, softirq] = numbers(
    readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]!
      .replace(/^cpu\s+/, ''),
  );
  // From field 3 on; 14 to 17 are user and system time of this process, and of its children.
  const own = numbers(readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) \S+ /s, ''));
  return {
    at: performance.now(),
    all: sum([user, nice, system, irq, softirq]),
    own: sum(own.slice(10, 14)),
  };
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
