import { StartError } from './errors.ts';
import { crashPoints } from './services/runner/crash-points.ts';

/** In the order in which a start passes them. */
const startPoints = ['migrating', 'database-open', 'engine-open', 'listening'] as const;

/** Where a test of recovery may end the process. */
const points: readonly string[] = [...startPoints, ...crashPoints];

/**
 * For tests of recovery. `asked` is `<point>`, or `<point>:<n>` for the nth time that it is passed; what is given
 * back is to be called at each point, and there ends the process as suddenly as `kill -9`.
 * @throws StartError
 */
export function crashAt(asked: string | undefined): (point: string) => Promise<void> {
  if (asked === undefined) return async () => {};
  const [, point = '', times = '1'] = /^([a-z-]+)(?::([1-9]\d{0,5}))?$/.exec(asked) ?? [];
  if (!points.includes(point)) {
    throw new StartError(
      `Expected EASEL_CRASH_AT to be one of ${points.join(', ')}, with :<n> behind it for the nth time, but got "${asked}"`,
    );
  }
  let left = Number(times);
  return async (passed) => {
    if (passed !== point || --left > 0) return;
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => {});
  };
}
