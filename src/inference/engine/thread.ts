import { Worker } from 'node:worker_threads';
import { StartError } from '../../errors.ts';
import type { Command, Report, ThreadOptions } from './protocol.ts';

export type Thread = {
  /** What the thread that runs, or ran last, reported when it was ready. */
  readonly ready: ReadyReport;
  /** Whether a thread runs: false from the crash of one until the next is ready. */
  readonly isRunning: boolean;
  /**
   * Resolves when a thread runs: at once, or when a new one has replaced the one that crashed.
   * @throws why it could not start, where several starts in a row failed
   */
  whenReady(): Promise<void>;
  post(command: Command): void;
  /** The thread has finished work: after its next crash it is replaced without a longer delay. */
  resetBackoff(): void;
  /** No restart from here on. */
  stopRestarting(): void;
  /**
   * Ask the thread to end, also one that is still starting, and wait. False: it did not end in time,
   * and must not be terminated.
   */
  end(withinMs: number): Promise<boolean>;
};

type ReadyReport = Extract<Report, { type: 'ready' }>;
type JobReport = Extract<Report, { type: 'event' | 'ended' }>;

/** Milliseconds before a crashed thread is replaced; doubled with each crash in a row. */
const backoff = { first: 100, most: 10_000 };
/** Failed starts in a row after which `whenReady` rejects. */
const maxFailedStarts = 3;

/**
 * One worker thread, replaced when it crashes.
 * @param onCrash sees why, once for each crash: the work of the thread is lost.
 * @throws StartError where the first thread refuses to start
 */
export async function startThread(
  url: URL,
  options: ThreadOptions,
  {
    onReport,
    onCrash,
  }: { onReport: (report: JobReport) => void; onCrash: (reason: Error) => void },
): Promise<Thread> {
  /** Running or starting. */
  let worker: Worker | undefined;
  let ready: ReadyReport;
  let isRunning = false;
  let crashes = 0;
  let failedStarts = 0;
  let isStopping = false;
  let timer: NodeJS.Timeout | undefined;
  let waiting: { go: () => void; fail: (reason: Error) => void }[] = [];

  function settleWaiting(settle: (one: (typeof waiting)[number]) => void): void {
    const all = waiting;
    waiting = [];
    for (const one of all) settle(one);
  }

  /** Resolves when the thread is ready; once it was, a crash starts another one. */
  function spawn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const thread = new Worker(url, { workerData: options, name: 'engine' });
      worker = thread;
      let reason: Error | undefined;
      thread.on('message', (report: Report) => {
        switch (report.type) {
          case 'ready':
            [ready, isRunning, failedStarts] = [report, true, 0];
            settleWaiting(({ go }) => go());
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
        onCrash(cause);
        replace();
      });
    });
  }

  function replace(): void {
    const delay = Math.min(backoff.first * 2 ** crashes++, backoff.most);
    timer = setTimeout(() => {
      spawn().catch((reason: Error) => {
        if (isStopping) return;
        onCrash(reason);
        if (++failedStarts >= maxFailedStarts) settleWaiting(({ fail }) => fail(reason));
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
    resetBackoff() {
      crashes = 0;
    },
    stopRestarting() {
      isStopping = true;
      clearTimeout(timer);
      settleWaiting(({ go }) => go());
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
