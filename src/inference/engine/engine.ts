import { availableParallelism } from 'node:os';
import { DomainError } from '../../errors.ts';
import type { SkippedFolder } from '../models/discovery.ts';
import { checkModelFolders } from '../models/discovery.ts';
import { FileChanged } from '../onnx/file.ts';
import type { JobEvent } from '../pipelines/job-event.ts';
import type {
  EngineEvent,
  Generate,
  ImageProvenance,
  ImageRequest,
  ModelDescription,
  Provider,
} from '../request.ts';
import { startCatalog } from './catalog.ts';
import type { ListedModel } from './catalog-protocol.ts';
import { EngineLost } from './engine-lost.ts';
import { createEventQueue, type EventQueue } from './event-queue.ts';
import { errorOf } from './protocol.ts';
import { bothOrNone, compiled } from './starting.ts';
import { startThread } from './thread.ts';

export class ModelUnavailable extends DomainError {
  constructor(name: string, reason: string) {
    super('MODEL_UNAVAILABLE', `Expected a usable model, but got ${name}: ${reason}`, {
      path: ['model'],
      got: name,
    });
  }
}

export type EngineOptions = {
  /** Each holds model folders; where two have the same name, the first counts. */
  readonly modelFolders: readonly string[];
  readonly provider: Provider;
  /** Threads that one run computes on; 0 for as many as there are cores. */
  readonly threads: number;
  /** Models that stay in memory. */
  readonly maxModels?: number;
  /** Of memory for reading model folders; what takes more is unavailable. */
  readonly catalogMegabytes?: number;
  /** Where checksums of weights are kept over restarts. */
  readonly checksumFile?: string;
  /** Of Easel, for the provenance. */
  readonly version?: string;
  /** The thread's compiled entry. */
  readonly workerUrl?: URL;
  /** Sees why the thread ended unasked; its jobs have failed with `EngineLost` by then. */
  readonly onExit?: (reason: Error) => void;
  /** Sees each folder among the models that is not listed, and why. */
  readonly onSkip?: (skipped: SkippedFolder) => void;
};

export type Engine = {
  /** As of the last look at the model folders. */
  readonly models: readonly ModelDescription[];
  /** Looks at the model folders: those added, changed or removed since are seen. */
  listModels(): Promise<readonly ModelDescription[]>;
  /** As its files are now, without a look at the other folders; null where there is none. */
  findModel(name: string): Promise<ModelDescription | null>;
  /** The execution provider in use. */
  readonly provider: string;
  /** Whether its thread runs: false from the crash of one until the next has started. */
  readonly isAlive: boolean;
  readonly generate: Generate;
  /** Loads a model before it is first needed; returns at once. @throws ModelUnavailable */
  preload(model: string): void;
  /** How many tokens a prompt has, and whether the model reads all of them. @throws ModelUnavailable */
  countTokens(
    model: string,
    prompt: string,
    options?: { cleanCaption: boolean },
  ): Promise<{ tokens: number; truncated: boolean }>;
  /**
   * Refuse new work, cancel what runs, wait for the current step, end the thread. False where it
   * did not end within the bound: leaving the process now would abort it, only SIGKILL is clean.
   */
  close(options?: { withinMs: number }): Promise<boolean>;
};

type UsableModel = Pick<ListedModel, 'found'> & NonNullable<ListedModel['usable']>;

/** What connects an image in the thread with its `generate`. */
type JobChannel = {
  /** Shared memory; [0] is 1 once the job is cancelled. */
  readonly canceled: Int32Array;
  readonly events: EventQueue<JobEvent>;
};

const defaultCloseMs = 12_000;
/** Of one image, whose model's files change each time. */
const maxBeginnings = 3;

/**
 * Start the engine: find the models, start the thread, try the provider.
 * @throws StartError in one sentence
 *
 * @example
 * const engine = await startEngine({ modelFolders: ['models'], provider: 'auto', threads: 0 });
 * for await (const event of engine.generate(request, { signal })) show(event);
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const workerUrl = options.workerUrl ?? compiled('worker');
  const { modelFolders, checksumFile, onSkip = () => undefined } = options;
  await checkModelFolders(modelFolders);
  const jobs = new Map<number, JobChannel>();
  let lastJob = 0;
  let isClosing = false;

  const startingCatalog = startCatalog(
    compiled('catalog-worker'),
    { modelFolders, checksumFile },
    { onSkip, memoryMb: options.catalogMegabytes },
  );
  const startingThread = startThread(
    workerUrl,
    {
      provider: options.provider,
      threads: options.threads || availableParallelism(),
      maxModels: options.maxModels ?? 2,
    },
    {
      onReport(report) {
        const job = jobs.get(report.job);
        if (report.type === 'event') return job?.events.put(report.event);
        if (report.fault === null) thread.resetBackoff();
        job?.events.end(report.fault === null ? null : errorOf(report.fault));
      },
      onCrash(reason) {
        for (const { events } of jobs.values()) {
          events.end(new EngineLost(reason.message, { cause: reason }));
        }
        options.onExit?.(reason);
      },
    },
  );
  const [catalog, thread] = await bothOrNone(startingCatalog, startingThread);

  function usable(name: string, model: ListedModel | null): UsableModel {
    if (model === null) throw new ModelUnavailable(name, 'there is no such model');
    const { found, description, usable } = model;
    if (usable === null) {
      throw new ModelUnavailable(name, description.unavailableReason ?? 'damaged');
    }
    return { found, ...usable };
  }

  function refuseWhenClosing(): void {
    if (isClosing) throw new EngineLost('it is being closed');
  }

  async function whenReady(): Promise<void> {
    try {
      await thread.whenReady();
    } catch (error) {
      throw new EngineLost((error as Error).message, { cause: error });
    }
  }

  /** Begins again where the model's files changed before the first step, and can be used as they are now. */
  async function* generate(
    request: ImageRequest,
    options: Parameters<Generate>[1],
  ): AsyncGenerator<EngineEvent, void, void> {
    let hasStepped = false;
    for (let begun = 1; ; begun++) {
      try {
        for await (const event of generateOnce(request, options)) {
          hasStepped ||= event.type === 'step';
          yield event;
        }
        return;
      } catch (error) {
        const isOutdated = error instanceof DomainError && error.name === FileChanged.name;
        if (!isOutdated || hasStepped || begun === maxBeginnings) throw error;
      }
    }
  }

  async function* generateOnce(
    request: ImageRequest,
    { signal, demand }: Parameters<Generate>[1],
  ): AsyncGenerator<EngineEvent, void, void> {
    refuseWhenClosing();
    if (signal.aborted) return;
    const model = usable(request.model, await catalog.find(request.model));
    const id = ++lastJob;
    const job: JobChannel = {
      canceled: new Int32Array(new SharedArrayBuffer(4)),
      events: createEventQueue<JobEvent>(),
    };
    let resolveAborted: () => void = () => undefined;
    const aborted = new Promise<void>((resolve) => {
      resolveAborted = resolve;
    });
    const cancel = () => {
      Atomics.store(job.canceled, 0, 1);
      thread.post({ type: 'cancel', job: id });
      resolveAborted();
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      await Promise.race([whenReady(), aborted]);
      refuseWhenClosing();
      if (signal.aborted) return;
      jobs.set(id, job);
      thread.post({
        type: 'generate',
        job: id,
        request,
        model: { found: model.found, revision: model.revision },
        canceled: job.canceled,
        demand: demand?.cell ?? null,
      });
      // Computed while the image is made; a failure is met where it is awaited.
      const provenance = provenanceOf(model);
      provenance.catch(() => undefined);
      for await (const event of job.events.events()) {
        if (signal.aborted) return;
        yield event.type === 'image' ? { ...event, provenance: await provenance } : event;
      }
    } catch (error) {
      if (!signal.aborted) throw error; // How a cancelled job ends does not matter.
    } finally {
      signal.removeEventListener('abort', cancel);
      if (jobs.has(id) && !job.events.hasEnded()) {
        cancel();
        await job.events.ended; // The engine is free from here on.
      }
      jobs.delete(id);
    }
  }

  /** Of the files that the thread loads: it refuses others. @throws FileChanged */
  async function provenanceOf({ files }: UsableModel): Promise<ImageProvenance> {
    const { runtime, provider, precision } = thread.ready;
    return {
      modelSha256: await catalog.checksum(files.transformer),
      textEncoderSha256: await catalog.checksum(files.textEncoder),
      vaeSha256: await catalog.checksum(files.vae),
      runtime,
      executionProvider: provider,
      precision,
      engineVersion: options.version ?? '0.0.0',
    };
  }

  const describe = () => catalog.models.map(({ description }) => description);

  return {
    get models() {
      return describe();
    },
    async listModels() {
      await catalog.scan();
      return describe();
    },
    findModel: async (name) => (await catalog.find(name))?.description ?? null,
    get provider() {
      return thread.ready.provider;
    },
    get isAlive() {
      return thread.isRunning;
    },
    generate,
    preload(name) {
      const known = catalog.models.find((model) => model.found.name === name);
      const { found, revision } = usable(name, known ?? null);
      thread.post({ type: 'load', model: { found, revision } });
    },
    async countTokens(model, prompt, { cleanCaption } = { cleanCaption: true }) {
      usable(model, await catalog.find(model));
      const counted = await catalog.count({ name: model, prompt, isCleaned: cleanCaption });
      if (counted === null) throw new ModelUnavailable(model, 'it has just changed');
      return counted;
    },
    async close({ withinMs } = { withinMs: defaultCloseMs }) {
      isClosing = true;
      thread.stopRestarting();
      for (const [id, job] of jobs) {
        Atomics.store(job.canceled, 0, 1);
        thread.post({ type: 'cancel', job: id });
        job.events.end(new EngineLost('it is being closed'));
      }
      await catalog.close();
      return thread.end(withinMs);
    },
  };
}
