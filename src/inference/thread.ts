import { Worker } from 'node:worker_threads';
import { StartError } from '../errors.ts';
import type { Command, Report, ThreadOptions } from './protocol.ts';

export type Thread = {
  /** What the running thread said when it was ready. */
  readonly ready: ReadyReport;
  /** Resolves when a thread runs: at once, or when a new one has taken the dead one's place. */
  whenReady(): Promise<void>;
  post(command: Command): void;
  /** A life is good: the next death is answered without delay. */
  settle(): void;
  /** No restart from here on. */
  stopRestarting(): void;
  /** Ask the thread to end, and wait. False: it did not end in time, and must not be terminated. */
  end(withinMs: number): Promise<boolean>;
};

type ReadyReport = Extract<Report, { type: 'ready' }>;
type JobReport = Extract<Report, { type: 'event' | 'ended' }>;

/** Milliseconds before a dead thread is replaced; doubled with each death in a row. */
const backoff = { first: 100, most: 10_000 };

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
  let worker: Worker | undefined;
  let ready: ReadyReport;
  let deaths = 0;
  let isStopping = false;
  let timer: NodeJS.Timeout | undefined;
  const waiting: (() => void)[] = [];

  /** Resolves when the thread is ready; from then on, its death leads to a new one. */
  function spawn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const thread = new Worker(url, { workerData: options, name: 'engine' });
      let isReady = false;
      let reason: Error | undefined;
      thread.on('message', (report: Report) => {
        switch (report.type) {
          case 'ready':
            isReady = true;
            [worker, ready] = [thread, report];
            for (const go of waiting.splice(0)) go();
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
        if (!isReady) return reject(cause);
        worker = undefined;
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
        replace();
      });
    }, delay);
  }

  await spawn();
  return {
    get ready() {
      return ready;
    },
    whenReady() {
      if (worker !== undefined) return Promise.resolve();
      return new Promise((go) => waiting.push(go));
    },
    post: (command) => worker?.postMessage(command),
    settle() {
      deaths = 0;
    },
    stopRestarting() {
      isStopping = true;
      clearTimeout(timer);
      for (const go of waiting.splice(0)) go();
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
