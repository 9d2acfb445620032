import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import { crashAt } from './crash.ts';
import { type Database, openDatabase } from './database/client.ts';
import { ensureSearchLanguage } from './database/installation.ts';
import { createMemoryEvents } from './events/memory.events.ts';
import type { Engine } from './inference/engine/engine.ts';
import type { Adapters } from './roles/adapters.ts';
import { startApi } from './roles/api.ts';
import { type Closing, createClosing } from './roles/closing.ts';
import { concurrency, openWorker } from './roles/worker.ts';
import type { Log } from './server/log.ts';
import { openLocalStorage } from './storage/local.storage.ts';
import type { Storage } from './storage/storage.ts';

export type App = {
  /** Where it listens, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly version: string;
  readonly dataFolder: string;
  readonly database: Database;
  readonly engine: Engine;
  /** Preview frames since the start. */
  readonly frames: { readonly framesComputed: number; readonly framesEncoded: number };
  /**
   * In order: no new requests, what runs handed back, subscribers told to come back, engine, database. False where
   * the engine's run at hand did not end in time: then the process may only `end`.
   */
  close(): Promise<boolean>;
};

/** What a test, or another program around this one, brings along. */
export type Overrides = {
  readonly engine?: Engine;
  readonly openStorage?: (folder: string) => Promise<Storage>;
  /** The entry of the engine's thread. */
  readonly workerUrl?: URL;
};

const packageFile = new URL('../package.json', import.meta.url);

/** Leaving the process while a network runs would abort it, and leave a core file behind. */
export function end(): never {
  process.kill(process.pid, 'SIGKILL');
  // Reached by process 1 of a container alone, for which the kernel drops that signal.
  process.abort();
}

/** The composition root: makes adapters and starts the roles, both of them in this process. @throws StartError */
export async function startApp(
  config: Config,
  { log, overrides = {} }: { log: Log; overrides?: Overrides },
): Promise<App> {
  const closing = createClosing();
  try {
    return await start(config, { log, overrides, closing });
  } catch (error) {
    // What closing throws on top would hide why the start failed.
    await closing
      .closeAll(config.stopTimeoutMs)
      .catch((fault: unknown) => log.error({ err: fault }, 'closing after a failed start failed'));
    throw error;
  }
}

async function start(
  config: Config,
  { log, overrides, closing }: { log: Log; overrides: Overrides; closing: Closing },
): Promise<App> {
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  const dataFolder = resolve(config.dataDir);
  const reached = crashAt(config.crashAt);
  const database = await openDatabase({
    ...config,
    reached,
    onDeath: (reason) => log.error({ err: reason }, 'the database was lost, it is opened again'),
    onReturn: () => log.warn('the database is open again'),
  });
  closing.push(() => database.close());
  await ensureSearchLanguage(database.client, config.searchLanguage);
  await reached('database-open');
  const storage = await (overrides.openStorage ?? openLocalStorage)(join(dataFolder, 'files'));
  const events = createMemoryEvents((error) =>
    log.error({ err: error }, 'an event listener failed'),
  );
  closing.push(() => events.close());

  const adapters: Adapters = { config, version, database, events, storage, log, closing, reached };
  const worker = await openWorker(adapters, overrides);
  const api = await startApi(adapters, {
    models: () => worker.engine.models,
    listModels: worker.engine.listModels,
    findModel: worker.engine.findModel,
    framesComputed: () => worker.framesComputed,
    check: worker.check,
    concurrency,
  });
  await worker.start();
  closing.push(() => api.refuse());
  return {
    url: api.url,
    version,
    dataFolder,
    database,
    engine: worker.engine,
    get frames() {
      return { framesComputed: worker.framesComputed, framesEncoded: api.framesEncoded };
    },
    close: () => closing.closeAll(config.stopTimeoutMs),
  };
}
