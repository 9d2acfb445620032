import { Worker } from 'node:worker_threads';
import { StartError } from '../../errors.ts';
import type { Command, Report, ThreadOptions } from './protocol.ts';

export type Thread = {
  /** What the running thread, or the one before it, said when it was ready. */
  readonly ready: ReadyReport;
  /** Whether a thread runs: false from the death of one until the next is ready. */
  readonly isRunning: boolean;
  /**
   * Resolves when a thread runs: at once, or when a new one has taken the dead one's place.
   * @throws why it could not start, where one after the other failed to
   */
  whenReady(): Promise<void>;
  post(command: Command): void;
  /** A life is good: the next death is answered without delay. */
  settle(): void;
  /** No restart from here on. */
  stopRestarting(): void;
  /**
   * Ask the thread to end, one that only starts too, and wait. False: it did not end in time, and
   * must not be terminated.
   */
  end(withinMs: number): Promise<boolean>;
};

type ReadyReport = Extract<Report, { type: 'ready' }>;
type JobReport = Extract<Report, { type: 'event' | 'ended' }>;

/** Milliseconds before a dead thread is replaced; doubled with each death in a row. */
const backoff = { first: 100, most: 10_000 };
/** Starts that fail in a row before those who wait are told. */
const patience = 3;

/**
 * One worker thread, replaced when it dies.
 * @param onDeath sees why, once for each death: whatever the thread was doing is lost.
 * @throws StartError where the first thread refuses to start
 */
export async function startThread(
  url: URL,
  options: ThreadOptions,
  {
    onReport,
    onDeath,
  }: { onReport: (report: JobReport) => void; onDeath: (reason: Error) => void },
): Promise<Thread> {
  /** It runs, or it starts. */
  let worker: Worker | undefined;
  let ready: ReadyReport;
  let isRunning = false;
  let deaths = 0;
  let failedStarts = 0;
  let isStopping = false;
  let timer: NodeJS.Timeout | undefined;
  let waiting: { go: () => void; fail: (reason: Error) => void }[] = [];

  function release(tell: (one: (typeof waiting)[number]) => void): void {
    const all = waiting;
    waiting = [];
    for (const one of all) tell(one);
  }

  /** Resolves when the thread is ready; from then on, its death leads to a new one. */
  function spawn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const thread = new Worker(url, { workerData: options, name: 'engine' });
      worker = thread;
      let reason: Error | undefined;
      thread.on('message', (report: Report) => {
        switch (report.type) {
          case 'ready':
            [ready, isRunning, failedStarts] = [report, true, 0];
            release(({ go }) => go());
            resolve();
            break;
          case 'refused':
            reason = new StartError(report.reason);
            break;
          case 'event':
          case 'ended':
            onReport(report);
            break;
        }
      });
      thread.on('error', (error: Error) => {
        reason ??= error;
      });
      thread.on('exit', (code) => {
        const cause =
          reason ??
          new Error(`Expected the engine's thread to run, but it exited with code ${code}`);
        const hasRun = isRunning;
        [worker, isRunning] = [undefined, false];
        if (!hasRun) return reject(cause);
        if (isStopping) return;
        onDeath(cause);
        replace();
      });
    });
  }

  function replace(): void {
    const delay = Math.min(backoff.first * 2 ** deaths++, backoff.most);
    timer = setTimeout(() => {
      spawn().catch((reason: Error) => {
        if (isStopping) return;
        onDeath(reason);
        if (++failedStarts >= patience) release(({ fail }) => fail(reason));
        replace();
      });
    }, delay);
  }

  await spawn();
  return {
    get ready() {
      return ready;
    },
    get isRunning() {
      return isRunning;
    },
    whenReady() {
      if (isRunning) return Promise.resolve();
      return new Promise((go, fail) => waiting.push({ go, fail }));
    },
    post: (command) => worker?.postMessage(command),
    settle() {
      deaths = 0;
    },
    stopRestarting() {
      isStopping = true;
      clearTimeout(timer);
      release(({ go }) => go());
    },
    async end(withinMs) {
      const thread = worker;
      if (thread === undefined) return true;
      let limit: NodeJS.Timeout | undefined;
      const ended = new Promise<boolean>((resolve) => {
        thread.once('exit', () => resolve(true));
        limit = setTimeout(() => resolve(false), withinMs);
      });
      thread.postMessage({ type: 'close' } satisfies Command);
      const isEnded = await ended;
      clearTimeout(limit);
      if (!isEnded) thread.unref();
      return isEnded;
    },
  };
}
