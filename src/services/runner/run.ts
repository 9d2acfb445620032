import { randomUUID } from 'node:crypto';
import { outlast } from '../../database/outlast.ts';
import type { Events } from '../../events/events.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Generate } from '../../inference/request.ts';
import type { Storage } from '../../storage/storage.ts';
import { type Claimant, claimNext, handBack, maxAttempts, renewLeases } from './claim.ts';
import type { CrashPoint } from './crash-points.ts';
import { type Draw, type DrawDeps, drawGeneration } from './draw.ts';
import { causeOf, fail, isWorthAnotherAttempt } from './fail.ts';
import { createPreviewLeases } from './preview-leases.ts';
import { createRecovery, recoverAll } from './recover.ts';
import type { RunnerLog } from './runner-log.ts';

export type RunnerOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly storage: Storage;
  readonly generate: Generate;
  /** Generations that run at once. */
  readonly concurrency: number;
  /** Of one user, in all processes. Default: no limit. */
  readonly maxRunningPerUser?: number;
  /** For the metadata of the images, for example `Easel 0.1.0`. */
  readonly software: string;
  /** No other process uses this database: what is RUNNING at the start ran in one that has died. */
  readonly alone: boolean;
  readonly log: RunnerLog;
  /** How long a claim holds that is not renewed. */
  readonly leaseMs?: number;
  /** Least time between two writes of the progress of a generation into its row. */
  readonly storeProgressEveryMs?: number;
  /** Called at each point; a test may end the process there. */
  readonly reached?: (point: CrashPoint) => void | Promise<void>;
};

export type Runner = {
  /** Preview frames that the engine has made since the start. */
  readonly framesComputed: number;
  /**
   * Claims no more, and hands back what runs: at once, whatever the engine still does with it. What it
   * may yet finish is not stored.
   */
  handBack(): Promise<void>;
  /** Hands back, and resolves when the engine has let go of all of it. */
  stop(): Promise<void>;
};

/** Why a run is stopped, where it is not for a fault. */
type Reason = 'canceled' | 'lost' | 'stopping';

/** Claims what waits, and generates its images, until it is stopped. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  if (options.alone) await recoverAll(options);
  const runner = new GenerationRunner(options);
  await runner.start();
  return runner;
}

type Run = {
  readonly generation: Generation;
  readonly stop: AbortController;
  /** Null until its turn has come. */
  draw: Draw | null;
  ended: Promise<void>;
};

class GenerationRunner implements Runner {
  readonly #options: RunnerOptions;
  readonly #claimant: Claimant;
  readonly #draw: DrawDeps;
  readonly #previews = createPreviewLeases();
  readonly #running = new Map<string, Run>();
  readonly #recover: ReturnType<typeof createRecovery>;
  #ticking: Promise<void> | null = null;
  #claiming: Promise<void> | null = null;
  #isClaimAgain = false;
  #handingBack: Promise<void> | null = null;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe = () => {};
  framesComputed = 0;

  constructor(options: RunnerOptions) {
    const { client, events, leaseMs = 30_000, reached = () => {} } = options;
    const { maxRunningPerUser = 1_000_000 } = options;
    this.#options = options;
    this.#claimant = { client, events, leaseMs, runnerId: randomUUID(), maxRunningPerUser };
    this.#recover = createRecovery(options, { slowMs: leaseMs / 6 });
    this.#draw = {
      storeProgressEveryMs: 1_000,
      ...options,
      reached,
      previews: this.#previews,
      onFrame: () => {
        this.framesComputed += 1;
      },
    };
  }

  async start(): Promise<void> {
    this.#unsubscribe = await this.#options.events.subscribe('runners', (message) => {
      if (message.type === 'queued') this.#claimSoon();
      if (message.type === 'canceled') this.#stopRun(message.generationId, 'canceled');
      if (message.type === 'previews-wanted') this.#previews.receive(message);
    });
    this.#options.events.publish('progress', { type: 'runner-started' });
    this.#timer = setInterval(() => this.#tick(), this.#claimant.leaseMs / 3);
    this.#timer.unref();
    this.#claimSoon();
  }

  handBack(): Promise<void> {
    this.#handingBack ??= this.#handBackAll();
    return this.#handingBack;
  }

  async stop(): Promise<void> {
    await this.handBack();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await this.#ticking;
  }

  get #isStopping(): boolean {
    return this.#handingBack !== null;
  }

  async #handBackAll(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#unsubscribe();
    this.#previews.close();
    const running = [...this.#running.values()];
    // What is being claimed at this moment is handed back where it is claimed.
    await Promise.all([...running.map((run) => this.#handBackRun(run)), this.#claiming]);
  }

  /** A stop is no fault of the generation: this attempt does not count. */
  async #handBackRun({ generation, stop, draw }: Run): Promise<void> {
    if (stop.signal.aborted) return; // Its end is being stored.
    stop.abort('stopping' satisfies Reason);
    const { log } = this.#options;
    const fields = { generationId: generation.id, attempts: generation.attempts };
    const finishedSteps = draw?.finishedSteps;
    try {
      const row = await handBack(this.#options, generation, { counts: false, finishedSteps });
      if (row === null) return;
      log.info(fields, 'stopping: queued again');
      this.#options.events.publish('runners', { type: 'queued' });
    } catch (error) {
      log.error({ ...fields, err: error }, 'could not hand it back: queued when its lease ends');
    }
  }

  #stopRun(id: string, reason: Reason): void {
    this.#running.get(id)?.stop.abort(reason);
  }

  /**
   * Renews leases, queues again what other runners have let expire, and claims what no message told of. One at a time:
   * behind a database that was slow for a while, several at once would be looks at the same moment.
   */
  #tick(): void {
    this.#ticking ??= this.#renewAndRecover()
      .catch((error: unknown) =>
        this.#options.log.error({ err: error }, 'could not renew the leases'),
      )
      .finally(() => {
        this.#ticking = null;
      });
  }

  async #renewAndRecover(): Promise<void> {
    const ids = [...this.#running.keys()];
    const kept = await renewLeases(this.#claimant, ids);
    for (const id of ids) if (!kept.has(id)) this.#stopRun(id, 'lost');
    await this.#recover((id) => this.#running.has(id));
    this.#claimSoon();
  }

  /** One claim after the other; a request that comes meanwhile is not lost. */
  #claimSoon(): void {
    if (this.#isStopping) return;
    if (this.#claiming) {
      this.#isClaimAgain = true;
      return;
    }
    this.#isClaimAgain = false;
    this.#claiming = this.#claimAll().finally(() => {
      this.#claiming = null;
      if (this.#isClaimAgain) this.#claimSoon();
    });
  }

  async #claimAll(): Promise<void> {
    try {
      while (this.#hasRoom()) {
        const generation = await claimNext(this.#claimant);
        if (generation === null) return;
        const run = this.#begin(generation);
        if (this.#isStopping) await this.#handBackRun(run);
      }
    } catch (error) {
      this.#options.log.error({ err: error }, 'could not claim');
    }
  }

  #hasRoom(): boolean {
    const running = [...this.#running.values()];
    return (
      !this.#isStopping &&
      running.length < this.#options.concurrency &&
      !running.some(({ generation }) => isLastAttempt(generation))
    );
  }

  #begin(generation: Generation): Run {
    const others = [...this.#running.values()].map(({ ended }) => ended);
    const turn = isLastAttempt(generation) ? Promise.all(others) : Promise.resolve();
    const stop = new AbortController();
    const run: Run = { generation, stop, draw: null, ended: Promise.resolve() };
    this.#running.set(generation.id, run);
    run.ended = this.#run(run, turn).finally(() => {
      this.#running.delete(generation.id);
      this.#claimSoon();
    });
    return run;
  }

  /** Never rejects: where not even the end can be stored, the lease expires. */
  async #run(run: Run, turn: Promise<unknown>): Promise<void> {
    const { generation, stop } = run;
    try {
      await Promise.race([turn, aborted(stop.signal)]);
      if (!stop.signal.aborted) {
        run.draw = drawGeneration(this.#draw, generation, stop);
        await run.draw.ended;
      }
      if (stop.signal.aborted) await this.#settle(run, stop.signal.reason);
    } catch (error) {
      try {
        const reason = isReason(stop.signal.reason) ? stop.signal.reason : error;
        await outlast(() => this.#settle(run, reason), this.#closing.signal);
      } catch (fault) {
        const fields = { generationId: generation.id, err: fault };
        this.#options.log.error(fields, 'could not store how it ended');
      }
    }
  }

  async #settle({ generation, draw }: Run, reason: unknown): Promise<void> {
    const { log } = this.#options;
    const fields = { generationId: generation.id, attempts: generation.attempts };
    const finishedSteps = draw?.finishedSteps ?? generation.finishedSteps;
    if (reason === 'stopping') return; // Its row says so already.
    if (reason === 'canceled') return this.#keepFinishedSteps(generation, finishedSteps);
    if (reason === 'lost') return log.warn(fields, 'another runner has it now: stopped');
    if (isWorthAnotherAttempt(reason) && (await this.#attempts(generation)) < maxAttempts) {
      await handBack(this.#options, generation, { counts: true, finishedSteps });
      return log.warn({ ...fields, err: reason }, 'queued again');
    }
    await fail(this.#options, generation, { ...causeOf(reason), finishedSteps });
    log.error({ ...fields, err: reason }, 'failed');
  }

  /** Of a generation that was cancelled elsewhere, so that its progress does not fall. */
  async #keepFinishedSteps({ id }: Generation, finishedSteps: number): Promise<void> {
    await this.#options.client.generation.updateMany({
      where: { id, status: 'CANCELED', finishedSteps: { lt: finishedSteps } },
      data: { finishedSteps },
    });
  }

  /** As the row counts them: an image that was finished in this attempt has set them back. */
  async #attempts({ id }: Generation): Promise<number> {
    const row = await this.#options.client.generation.findUnique({ where: { id } });
    return row?.attempts ?? maxAttempts;
  }
}

/**
 * After one more loss of its engine it has failed. So it runs alone, where the loss can be due to nothing else;
 * in earlier attempts it runs beside the others, so that they need not wait for it.
 */
function isLastAttempt({ attempts }: Generation): boolean {
  return attempts >= maxAttempts;
}

function isReason(reason: unknown): reason is Reason {
  return reason === 'canceled' || reason === 'lost' || reason === 'stopping';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
