import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectClient } from '../database/client.ts';
import { StartError } from '../errors.ts';
import { type Engine, startEngine } from '../inference/engine/engine.ts';
import { startOrphanSweep } from '../services/maintenance/orphans.ts';
import { type Runner, startRunner } from '../services/runner/run.ts';
import type { Adapters } from './adapters.ts';
import { within } from './closing.ts';

export type Worker = {
  readonly engine: Engine;
  /** Preview frames that the engine has made since the start. */
  readonly framesComputed: number;
  /** Null where it can draw, else one sentence. */
  check(): Promise<string | null>;
  /** Claims what waits from now on, until it is closed. */
  start(): Promise<void>;
};

/** The models that come with the program. */
const ownModels = fileURLToPath(new URL('../../models', import.meta.url));

/**
 * Generations that run at once. More than one, so that a short one need not wait for a long one:
 * they take turns, step by step.
 */
export const concurrency = 4;

/** Opens the engine. `start` is apart, so that nothing is claimed where a later part of the start fails. @throws StartError */
export async function openWorker(
  adapters: Adapters,
  overrides: { readonly engine?: Engine; readonly workerUrl?: URL },
): Promise<Worker> {
  const { config, version, database, events, storage, log, closing, reached } = adapters;
  // A lane of its own: what the runner asks of the database waits behind one statement of the API, not behind all of them.
  const { client, close: closeLane } = connectClient(database.connection, database.kind);
  closing.push(closeLane);
  let runner: Runner | undefined;
  // The runner ends when the engine has let go of what it computes: so it is closed behind it.
  closing.push((left) => (runner ? within(runner.stop(), left()) : true));
  const engine = overrides.engine ?? (await openEngine(adapters, overrides.workerUrl));
  closing.push((left) => engine.close({ withinMs: left() }));
  await reached('engine-open');
  checkDefaultModel(engine, config.defaultModel);
  engine.preload(config.defaultModel);
  return {
    engine,
    get framesComputed() {
      return runner?.framesComputed ?? 0;
    },
    async check() {
      if (!engine.isAlive) return 'its thread is gone, and another one has not started yet';
      return isUsable(engine, config.defaultModel) ? null : 'no model can be used';
    },
    async start() {
      const sweep = startOrphanSweep({
        ...{ client, storage },
        onDeleted: (deleted) => log.info({ deleted }, 'deleted files without a row'),
        onError: (error) => log.error({ err: error }, 'could not look for files without a row'),
      });
      closing.push(() => sweep.stop());
      runner = await startRunner({
        ...{ client, events, storage, concurrency, log, reached },
        generate: engine.generate,
        maxRunningPerUser: config.maxRunningPerUser,
        software: `Easel ${version}`,
        alone: database.kind === 'embedded',
      });
      // The rows before anything that takes time.
      closing.push(() => runner?.handBack());
    },
  };
}

function openEngine({ config, version, log }: Adapters, workerUrl?: URL): Promise<Engine> {
  const folders = [ownModels, ...(config.modelsDir ? [config.modelsDir] : [])];
  return startEngine({
    modelFolders: folders.filter((folder) => folder !== ownModels || existsSync(folder)),
    provider: config.provider,
    threads: config.threads,
    checksumFile: join(resolve(config.dataDir), 'checksums.json'),
    version,
    workerUrl,
    onExit: (reason) => log.error({ err: reason }, 'the engine was lost, another one starts'),
    onSkip: (skipped) => log.warn(skipped, 'a folder among the models was skipped'),
  });
}

/** @throws StartError: at the start rather than with the first image. */
function checkDefaultModel({ models }: Engine, name: string): void {
  const model = models.find((candidate) => candidate.name === name);
  if (model?.available) return;
  const names = models.filter(({ available }) => available).map((candidate) => candidate.name);
  const others = names.length > 0 ? ` (usable: ${names.join(', ')}; see DEFAULT_MODEL)` : '';
  const reason = model ? `it cannot be used: ${model.unavailableReason}` : 'there is none';
  throw new StartError(`Expected the model "${name}", but ${reason}${others}`);
}

function isUsable({ models }: Engine, name: string): boolean {
  return models.some((model) => model.name === name && model.available);
}
