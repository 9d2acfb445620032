import { Worker } from 'node:worker_threads';
import type { SkippedFolder } from '../models/discovery.ts';
import type { Opening, RefusedFolder } from '../models/listing.ts';
import type { FileStamp } from '../onnx/file.ts';
import { folderLimits } from '../onnx/limits.ts';
import type {
  CatalogCommand,
  CatalogOptions,
  CatalogQuestions,
  CatalogReport,
  ListedModel,
} from './catalog-protocol.ts';
import { EngineLost } from './engine-lost.ts';
import { errorOf } from './protocol.ts';

/** The models in the model folders, as a thread of its own reads them. */
export type Catalog = {
  /** As of the last look, by name. */
  readonly models: readonly ListedModel[];
  /** Looks at the folders: those added, changed or removed since are seen. */
  scan(): Promise<void>;
  /** As its files are now; null where there is none. */
  find(name: string): Promise<ListedModel | null>;
  /** Null where there is no such model that can be used. */
  count(prompt: CatalogQuestions['count']['ask']): Promise<CatalogQuestions['count']['answer']>;
  /** See `Checksums`. @throws FileChanged */
  checksum(files: readonly FileStamp[]): Promise<string>;
  close(): Promise<void>;
};

/** A question that has no answer yet. */
type Waiting = {
  readonly command: CatalogCommand;
  readonly settle: (answer: unknown) => void;
  readonly fail: (reason: Error) => void;
};

/** Threads that may end in a row without an answer, and without a folder to refuse for it. */
const maxDeaths = 3;

/**
 * Start the thread, and look at the folders. A folder that the thread ends with, or is not done with
 * in time, is listed as unavailable, and another thread goes on with the others.
 */
export async function startCatalog(
  url: URL,
  options: Omit<CatalogOptions, 'refused'>,
  {
    onSkip,
    memoryMb = folderLimits.catalogMegabytes,
  }: { onSkip: (skipped: SkippedFolder) => void; memoryMb?: number },
): Promise<Catalog> {
  const waiting = new Map<number, Waiting>();
  const refused: RefusedFolder[] = [];
  const reported = new Set<string>();
  let models: readonly ListedModel[] = [];
  let lastId = 0;
  let deaths = 0;
  let isClosing = false;
  /** Null until the next question, where threads ended for no known reason. */
  let worker: Worker | null = spawn();

  function spawn(): Worker {
    const thread = new Worker(url, {
      name: 'catalog',
      workerData: { ...options, refused } satisfies CatalogOptions,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    let opening: Opening | null = null;
    let reason = 'reading it ended the thread that read it';
    let cause: unknown;
    let deadline: NodeJS.Timeout | undefined;

    thread.on('message', (report: CatalogReport) => {
      switch (report.type) {
        case 'opening':
          opening = report.opening;
          clearTimeout(deadline);
          if (opening !== null) {
            deadline = setTimeout(() => {
              reason = `reading it took more than ${folderLimits.openingMs / 1000} seconds`;
              void thread.terminate();
            }, folderLimits.openingMs).unref();
          }
          break;
        case 'skipped':
          skip(report.skipped);
          break;
        case 'answer':
        case 'fault':
          deaths = 0;
          answer(report);
          break;
      }
    });
    thread.on('error', (error: NodeJS.ErrnoException) => {
      cause = error;
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
        reason = `reading it took more than ${memoryMb} MB of memory`;
      }
    });
    thread.on('exit', () => {
      clearTimeout(deadline);
      if (isClosing) return;
      if (opening !== null) refused.push({ ...opening, reason });
      else if (++deaths >= maxDeaths) return giveUp(cause);
      worker = spawn();
      for (const { command } of waiting.values()) worker.postMessage(command);
    });
    return thread;
  }

  function giveUp(cause: unknown): void {
    worker = null;
    deaths = 0;
    failAll(new EngineLost('the thread that reads models ended', { cause }));
  }

  function failAll(reason: EngineLost): void {
    for (const { fail } of waiting.values()) fail(reason);
    waiting.clear();
  }

  /** A new thread meets the same folders again. */
  function skip(skipped: SkippedFolder): void {
    const key = `${skipped.folder}\0${skipped.reason}`;
    if (reported.has(key)) return;
    reported.add(key);
    onSkip(skipped);
  }

  function answer(report: Extract<CatalogReport, { type: 'answer' | 'fault' }>): void {
    const question = waiting.get(report.id);
    waiting.delete(report.id);
    if (report.type === 'answer') question?.settle(report.answer);
    else question?.fail(errorOf(report.fault));
  }

  function ask<Type extends keyof CatalogQuestions>(
    type: Type,
    question: CatalogQuestions[Type]['ask'],
  ): Promise<CatalogQuestions[Type]['answer']> {
    return new Promise((resolve, reject) => {
      const id = ++lastId;
      // One of the union: the type and what belongs to it.
      const command = { type, id, ...question } as unknown as CatalogCommand;
      const settle = (answer: unknown) => resolve(answer as CatalogQuestions[Type]['answer']);
      if (isClosing) return reject(new EngineLost('it is being closed'));
      waiting.set(id, { command, settle, fail: reject });
      worker ??= spawn();
      worker.postMessage(command);
    });
  }

  const catalog: Catalog = {
    get models() {
      return models;
    },
    async scan() {
      models = await ask('scan', {});
    },
    async find(name) {
      const model = await ask('find', { name });
      const isNamed = ({ found }: ListedModel) => found.name === name;
      if (model === null) models = models.filter((one) => !isNamed(one));
      else if (!models.some(isNamed)) await catalog.scan();
      else models = models.map((one) => (isNamed(one) ? model : one));
      return model;
    },
    count: (prompt) => ask('count', prompt),
    checksum: (files) => ask('checksum', { files }),
    async close() {
      isClosing = true;
      failAll(new EngineLost('it is being closed'));
      await worker?.terminate();
    },
  };
  try {
    await catalog.scan();
  } catch (error) {
    await catalog.close();
    throw error;
  }
  return catalog;
}
