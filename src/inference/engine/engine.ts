import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DomainError, StartError } from '../../errors.ts';
import { createChecksums } from '../checkpoints/checksum.ts';
import { listModels } from '../checkpoints/listing.ts';
import { type ModelFolder, tokenize } from '../checkpoints/model-folder.ts';
import type {
  EngineEvent,
  Generate,
  ImageProvenance,
  ImageRequest,
  ModelDescription,
  Provider,
} from '../request.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { errorOf, type JobEvent } from './protocol.ts';
import { startThread } from './thread.ts';

/** The engine as such is gone, not the picture's fault: the same request may succeed in a moment. */
export class EngineLost extends DomainError {
  readonly retryable = true;
  constructor(reason: string, options?: ErrorOptions) {
    super(
      'ENGINE_FAILED',
      `Expected the engine to finish, but it was lost: ${reason}`,
      {},
      options,
    );
  }
}

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
  /** Where checksums of weights are kept over restarts. */
  readonly checksumFile?: string;
  /** Of Easel, for the provenance. */
  readonly version?: string;
  /** The thread's compiled entry. */
  readonly workerUrl?: URL;
  /** Sees why the thread died; what it was doing has failed with `EngineLost` by then. */
  readonly onExit?: (reason: Error) => void;
};

export type Engine = {
  readonly models: readonly ModelDescription[];
  /** The execution provider in use. */
  readonly provider: string;
  /** Whether its thread runs; between the death of one and the start of the next it does not. */
  readonly isAlive: boolean;
  readonly generate: Generate;
  /** Loads a model ahead of the first picture; returns at once. @throws ModelUnavailable */
  preload(model: string): void;
  /** How much of a prompt the model reads. @throws ModelUnavailable */
  countTokens(
    model: string,
    prompt: string,
    options?: { cleanCaption: boolean },
  ): Promise<{ tokens: number; truncated: boolean }>;
  /** Look at the model folders again. */
  rescan(): Promise<void>;
  /**
   * Refuse new work, cancel what runs, wait for the step at hand, end the thread. False where it
   * did not end within the bound: leaving the process now would abort it, only SIGKILL is clean.
   */
  close(options?: { withinMs: number }): Promise<boolean>;
};

type Job = {
  readonly canceled: Int32Array;
  readonly inbox: Inbox<JobEvent>;
};

const defaultCloseMs = 12_000;

/**
 * Start the engine: find the models, start the thread, try the provider.
 * @throws StartError in one sentence
 *
 * @example
 * const engine = await startEngine({ modelFolders: ['models'], provider: 'auto', threads: 0 });
 * for await (const event of engine.generate(request, { signal })) show(event);
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const workerUrl = options.workerUrl ?? compiledWorker();
  let listings = await listModels(options.modelFolders);
  const checksums = createChecksums(options.checksumFile);
  const jobs = new Map<number, Job>();
  let lastJob = 0;
  let isClosing = false;

  const thread = await startThread(
    workerUrl,
    {
      provider: options.provider,
      threads: options.threads || availableParallelism(),
      maxModels: options.maxModels ?? 2,
    },
    {
      onReport(report) {
        const job = jobs.get(report.job);
        if (report.type === 'event') return job?.inbox.put(report.event);
        if (report.fault === null) thread.settle();
        job?.inbox.end(report.fault === null ? null : errorOf(report.fault));
      },
      onDeath(reason) {
        for (const { inbox } of jobs.values()) {
          inbox.end(new EngineLost(reason.message, { cause: reason }));
        }
        options.onExit?.(reason);
      },
    },
  );

  function find(name: string): ModelFolder {
    const listing = listings.find(({ description }) => description.name === name);
    if (listing === undefined) throw new ModelUnavailable(name, 'there is no such model');
    if (listing.folder === null) {
      throw new ModelUnavailable(name, listing.description.unavailableReason ?? 'damaged');
    }
    return listing.folder;
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

  async function* generate(
    request: ImageRequest,
    { signal, demand }: Parameters<Generate>[1],
  ): AsyncGenerator<EngineEvent, void, void> {
    refuseWhenClosing();
    const model = find(request.model);
    if (signal.aborted) return;
    const id = ++lastJob;
    const job: Job = {
      canceled: new Int32Array(new SharedArrayBuffer(4)),
      inbox: createInbox<JobEvent>(),
    };
    let tellAborted: () => void = () => undefined;
    const aborted = new Promise<void>((resolve) => {
      tellAborted = resolve;
    });
    const cancel = () => {
      Atomics.store(job.canceled, 0, 1);
      thread.post({ type: 'cancel', job: id });
      tellAborted();
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
        model: { folder: model.place, revision: model.revision },
        canceled: job.canceled,
        demand: demand?.cell ?? null,
      });
      // Under way while the picture is drawn; a failure is met where it is awaited.
      const provenance = provenanceOf(model);
      provenance.catch(() => undefined);
      for await (const event of job.inbox.events()) {
        if (signal.aborted) return;
        yield event.type === 'image' ? { ...event, provenance: await provenance } : event;
      }
    } catch (error) {
      if (!signal.aborted) throw error; // What befalls a cancelled job matters to nobody.
    } finally {
      signal.removeEventListener('abort', cancel);
      if (jobs.has(id) && !job.inbox.hasEnded()) {
        cancel();
        await job.inbox.ended; // The engine is free from here on.
      }
      jobs.delete(id);
    }
  }

  async function provenanceOf({ weightFiles, description }: ModelFolder): Promise<ImageProvenance> {
    const { runtime, provider } = thread.ready;
    return {
      modelSha256: await checksums.of(weightFiles.transformer),
      textEncoderSha256: await checksums.of(weightFiles.text_encoder),
      vaeSha256: await checksums.of(weightFiles.vae),
      runtime,
      executionProvider: provider,
      precision: description.precision ?? '',
      engineVersion: options.version ?? '0.0.0',
    };
  }

  return {
    get models() {
      return listings.map(({ description }) => description);
    },
    get provider() {
      return thread.ready.provider;
    },
    get isAlive() {
      return thread.isRunning;
    },
    generate,
    preload(name) {
      const { place: folder, revision } = find(name);
      thread.post({ type: 'load', model: { folder, revision } });
    },
    async countTokens(model, prompt, { cleanCaption } = { cleanCaption: true }) {
      const { tokens, truncated } = tokenize(find(model), prompt, cleanCaption);
      return { tokens, truncated };
    },
    async rescan() {
      listings = await listModels(options.modelFolders);
    },
    async close({ withinMs } = { withinMs: defaultCloseMs }) {
      isClosing = true;
      thread.stopRestarting();
      for (const [id, job] of jobs) {
        Atomics.store(job.canceled, 0, 1);
        thread.post({ type: 'cancel', job: id });
        job.inbox.end(new EngineLost('it is being closed'));
      }
      return thread.end(withinMs);
    },
  };
}

/** Beside this module once compiled; TypeScript as such cannot be a thread's entry. */
function compiledWorker(): URL {
  const isCompiled = import.meta.url.endsWith('.js');
  const url = new URL(
    isCompiled ? './worker.js' : '../../../dist/inference/engine/worker.js',
    import.meta.url,
  );
  if (!existsSync(fileURLToPath(url))) {
    throw new StartError(
      `Expected the engine's compiled thread at ${fileURLToPath(url)}, but it is not there: make it with "node scripts/boot.cjs build"`,
    );
  }
  return url;
}
