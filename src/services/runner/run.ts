import { randomUUID } from 'node:crypto';
import type { Events } from '../../events/events.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Generate } from '../../inference/request.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Live } from '../subscriptions/live.ts';
import { type Claimant, claimNext, handBack, maxAttempts, renewLeases } from './claim.ts';
import type { CrashPoint } from './crash-points.ts';
import { type DrawDeps, drawGeneration } from './draw.ts';
import { causeOf, fail, isWorthAnotherAttempt } from './fail.ts';
import { recoverAbandoned, sweepOrphans } from './recover.ts';
import type { Log } from './runner-log.ts';

export { type CrashPoint, crashPoints } from './crash-points.ts';
export type { Log } from './runner-log.ts';

export type RunnerOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly storage: Storage;
  readonly live: Live;
  readonly generate: Generate;
  /** Generations that run at once. */
  readonly concurrency: number;
  /** Into the pictures' metadata, for example `Easel 0.1.0`. */
  readonly software: string;
  /** No other process works on this database: what runs at the start is a dead one's. */
  readonly alone: boolean;
  readonly log: Log;
  /** How long a process that says nothing is believed to live. */
  readonly leaseMs?: number;
  /** Called at each point; a test may end the process there. */
  readonly reached?: (point: CrashPoint) => void | Promise<void>;
};

export type Runner = {
  /**
   * Claims no more, and hands back what runs: at once, whatever the engine still does with it. What it
   * may yet finish is not stored.
   */
  handBack(): Promise<void>;
  /** Hands back, and resolves when the engine has let go of all of it. */
  stop(): Promise<void>;
};

/** Why a generation is let go of, when it is not for a fault. */
type Reason = 'canceled' | 'lost' | 'stopping';

/** Takes up what waits, and draws it, until it is stopped. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  await recoverAbandoned(options, options.alone ? 'all' : 'expired');
  const runner = new GenerationRunner(options);
  await runner.start();
  return runner;
}

type Work = {
  readonly generation: Generation;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
};

class GenerationRunner implements Runner {
  readonly #options: RunnerOptions;
  readonly #claimant: Claimant;
  readonly #draw: DrawDeps;
  readonly #running = new Map<string, Work>();
  readonly #sweep = new AbortController();
  #sweeping: Promise<void> = Promise.resolve();
  #ticking: Promise<void> = Promise.resolve();
  #filling: Promise<void> | null = null;
  #isFillAgain = false;
  #handingBack: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe = () => {};

  constructor(options: RunnerOptions) {
    const { client, events, leaseMs = 30_000, reached = () => {} } = options;
    this.#options = options;
    this.#claimant = { client, events, leaseMs, runnerId: randomUUID() };
    this.#draw = { ...options, reached };
  }

  async start(): Promise<void> {
    const { events, client, storage, log } = this.#options;
    this.#unsubscribe = await events.subscribe('queue', (message) => {
      if (message.type === 'queued') this.#fill();
      if (message.type === 'canceled') this.#letGo(message.generationId, 'canceled');
    });
    this.#timer = setInterval(() => this.#tick(), this.#claimant.leaseMs / 3);
    this.#timer.unref();
    this.#fill();
    this.#sweeping = sweepOrphans(client, storage, this.#sweep.signal).then(
      (deleted) => deleted > 0 && log.info({ deleted }, 'cleared away files without a row'),
      (error: unknown) => log.error({ err: error }, 'could not look for files without a row'),
    ) as Promise<void>;
  }

  handBack(): Promise<void> {
    this.#handingBack ??= this.#handBackAll();
    return this.#handingBack;
  }

  async stop(): Promise<void> {
    await this.handBack();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await this.#ticking;
    await this.#sweeping;
  }

  get #isStopping(): boolean {
    return this.#handingBack !== null;
  }

  async #handBackAll(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#sweep.abort();
    const running = [...this.#running.values()];
    // What is being claimed at this moment is handed back by whoever claims it.
    await Promise.all([...running.map((work) => this.#giveUp(work)), this.#filling]);
  }

  /** Stopping is no fault of its own: this attempt does not count. */
  async #giveUp({ generation, stop }: Work): Promise<void> {
    if (stop.signal.aborted) return; // Its end is being written down.
    stop.abort('stopping' satisfies Reason);
    const { log } = this.#options;
    const fields = { generationId: generation.id, attempts: generation.attempts };
    try {
      const waits = await handBack(this.#options, generation, { counts: false });
      if (waits !== null) log.info(fields, 'stopping: it waits again');
    } catch (error) {
      log.error({ ...fields, err: error }, 'could not hand it back: it waits for its lease to end');
    }
  }

  #letGo(id: string, reason: Reason): void {
    this.#running.get(id)?.stop.abort(reason);
  }

  /** Leases are renewed; what others have let lapse waits again; what no bell was heard for is found. */
  #tick(): void {
    this.#ticking = this.#ticking.then(async () => {
      try {
        const ids = [...this.#running.keys()];
        const ours = await renewLeases(this.#claimant, ids);
        for (const id of ids) if (!ours.has(id)) this.#letGo(id, 'lost');
        await recoverAbandoned(this.#options, 'expired');
        this.#fill();
      } catch (error) {
        this.#options.log.error({ err: error }, 'could not renew the leases');
      }
    });
  }

  /** One claim after the other; a bell that rings meanwhile is heard. */
  #fill(): void {
    if (this.#isStopping) return;
    if (this.#filling) {
      this.#isFillAgain = true;
      return;
    }
    this.#isFillAgain = false;
    this.#filling = this.#claimAll().finally(() => {
      this.#filling = null;
      if (this.#isFillAgain) this.#fill();
    });
  }

  async #claimAll(): Promise<void> {
    try {
      while (this.#hasRoom()) {
        const generation = await claimNext(this.#claimant);
        if (generation === null) return;
        const work = this.#begin(generation);
        if (this.#isStopping) await this.#giveUp(work);
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

  #begin(generation: Generation): Work {
    const others = [...this.#running.values()].map(({ ended }) => ended);
    const turn = isLastAttempt(generation) ? Promise.all(others) : Promise.resolve();
    const stop = new AbortController();
    const ended = this.#run(generation, stop, turn).finally(() => {
      this.#running.delete(generation.id);
      this.#fill();
    });
    const work = { generation, stop, ended };
    this.#running.set(generation.id, work);
    return work;
  }

  /** Never rejects: where not even the end can be written down, the lease runs out. */
  async #run(generation: Generation, stop: AbortController, turn: Promise<unknown>): Promise<void> {
    const { log } = this.#options;
    try {
      await Promise.race([turn, aborted(stop.signal)]);
      if (!stop.signal.aborted) await drawGeneration(this.#draw, generation, stop);
      if (stop.signal.aborted) await this.#settle(generation, stop.signal.reason);
    } catch (error) {
      try {
        await this.#settle(generation, isReason(stop.signal.reason) ? stop.signal.reason : error);
      } catch (fault) {
        log.error({ generationId: generation.id, err: fault }, 'could not write down how it ended');
      }
    }
  }

  async #settle(generation: Generation, reason: unknown): Promise<void> {
    const { log } = this.#options;
    const fields = { generationId: generation.id, attempts: generation.attempts };
    if (reason === 'canceled' || reason === 'stopping') return; // Its row says so already.
    if (reason === 'lost') return log.warn(fields, 'another runner has it now: let go');
    if (isWorthAnotherAttempt(reason) && (await this.#attempts(generation)) < maxAttempts) {
      await handBack(this.#options, generation, { counts: true });
      return log.warn({ ...fields, err: reason }, 'it waits again');
    }
    await fail(this.#options, generation, causeOf(reason));
    log.error({ ...fields, err: reason }, 'it has failed');
  }

  /** As the row counts them: an image that was finished in this attempt has set them back. */
  async #attempts({ id }: Generation): Promise<number> {
    const row = await this.#options.client.generation.findUnique({ where: { id } });
    return row?.attempts ?? maxAttempts;
  }
}

/**
 * One more loss of its engine would be its end. So it runs alone, where it can be nobody's fault but its own;
 * until then what has seen an engine die goes on beside the others, who need not wait for it.
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
