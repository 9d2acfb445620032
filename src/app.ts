import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';
import { crashAt } from './crash.ts';
import { type Database, openDatabase } from './database/client.ts';
import { StartError } from './errors.ts';
import { createMemoryEvents } from './events/memory.events.ts';
import { type Engine, startEngine } from './inference/engine/engine.ts';
import { buildSchema } from './resolvers/build-schema.ts';
import type { Context, Services } from './resolvers/context.ts';
import { loadersByUser } from './resolvers/loaders.ts';
import { hostInUrl } from './server/address.ts';
import { files } from './server/files.ts';
import { createHttp } from './server/http.ts';
import { listen } from './server/listen.ts';
import type { Log } from './server/log.ts';
import { createMetrics } from './server/metrics.ts';
import { openSockets } from './server/socket.ts';
import { localViewer } from './services/access/viewer.ts';
import { createGenerations } from './services/generations/generations.ts';
import { createAssets } from './services/library/assets.ts';
import { createLinks } from './services/library/links.ts';
import { createModelList } from './services/library/models.ts';
import { createNodes } from './services/library/nodes.ts';
import { createProjects } from './services/library/projects.ts';
import { createRenditions } from './services/library/renditions.ts';
import { startRetention } from './services/maintenance/retention.ts';
import { startRunner } from './services/runner/run.ts';
import { createLive } from './services/subscriptions/live.ts';
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
   * In order: no new work, subscribers told to come back, what runs handed back, engine, database.
   * False where the engine's run at hand did not end in time: then the process may only `end`.
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

/** The models that come with the program. */
const ownModels = fileURLToPath(new URL('../models', import.meta.url));
const packageFile = new URL('../package.json', import.meta.url);

/**
 * Generations that run at once. More than one, so that a short one need not wait for a long one:
 * they take turns, step by step.
 */
const concurrency = 4;
/** A client that has not taken its answer, or the end of its WebSocket, within this is cut off. */
const goodbyeMs = 1_000;

/** Leaving the process while a network runs would abort it, and leave a core file behind. */
export function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** The composition root: the only place that makes adapters and wires them. @throws StartError */
export async function startApp(
  config: Config,
  { log, overrides = {} }: { log: Log; overrides?: Overrides },
): Promise<App> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await start(config, { log, overrides, undo });
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function start(
  config: Config,
  { log, overrides, undo }: { log: Log; overrides: Overrides; undo: (() => Promise<unknown>)[] },
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
  undo.push(() => database.close());
  await reached('database-open');
  const { client } = database;
  const openStorage = overrides.openStorage ?? openLocalStorage;
  const storage = await openStorage(join(dataFolder, 'files'));
  const engine =
    overrides.engine ?? (await openEngine(config, { version, dataFolder, log, ...overrides }));
  undo.push(() => engine.close());
  await reached('engine-open');
  checkDefaultModel(engine, config.defaultModel);
  engine.preload(config.defaultModel);

  const events = createMemoryEvents((error) =>
    log.error({ err: error }, 'an event listener failed'),
  );
  undo.push(() => events.close());
  const live = createLive();
  const { linkSecret } = await client.installation.findUniqueOrThrow({ where: { id: 1 } });
  const links = createLinks({ secret: linkSecret });
  const services = createServices({ config, version, client, events, live, engine, links });

  let isStopping = false;
  const loadersOf = loadersByUser(services);
  const context = async (asked: { requestId: string; signal: AbortSignal; host: string }) => {
    const viewer = await localViewer(client);
    const origin = config.publicUrl ?? `http://${asked.host}`;
    return { viewer, services, loaders: loadersOf(viewer), origin, ...asked } satisfies Context;
  };
  const schema = buildSchema();
  const rules = {
    hosts: new Set(config.allowedHosts.concat(hostOf(config)).map((host) => host.toLowerCase())),
    origins: new Set(config.allowedOrigins.map((origin) => origin.toLowerCase())),
  };
  const metrics = createMetrics({
    frames: () => live.frames.counters,
    generations: () => services.generations.queue(),
    sockets: () => sockets.counts.sockets,
    operations: () => sockets.counts.operations,
  });
  const http = await createHttp({
    schema,
    rules,
    log,
    metrics,
    context,
    files: files({ links, renditions: createRenditions({ client, storage }), storage }),
    checks: {
      server: async () => (isStopping ? 'it stops' : null),
      database: async () => {
        await client.$queryRaw`SELECT 1`;
        return null;
      },
      engine: async () => {
        if (!engine.isAlive) return 'its thread is gone, and another one has not started yet';
        return isUsable(engine, config.defaultModel) ? null : 'no model can be used';
      },
    },
  });
  undo.push(() => http.stop());
  const sockets = openSockets(http.server, { schema, rules, log, context });
  const { port } = await listen(http.server, config);
  undo.push(() => http.close(0));
  // Who came back before the start failed would hold up the end of `http`.
  undo.push(() => sockets.close(goodbyeMs));
  await reached('listening');

  const retention = startRetention({
    client,
    keepSeconds: config.eventRetentionSeconds,
    onError: (error) => log.error({ err: error }, 'could not clear away old events'),
  });
  undo.push(() => retention.stop());

  const runner = await startRunner({
    client,
    events,
    storage,
    live,
    generate: engine.generate,
    concurrency,
    software: `Easel ${version}`,
    alone: database.kind === 'embedded',
    log,
    reached,
  });

  async function stop(): Promise<boolean> {
    const deadline = performance.now() + config.stopTimeoutMs;
    const left = () => Math.max(0, deadline - performance.now());
    isStopping = true;
    http.refuse();
    // The rows before anything that takes time: how long the engine takes counts against none of them.
    await Promise.all([sockets.close(goodbyeMs), runner.handBack()]);
    const isEngineClosed = await engine.close({ withinMs: left() });
    const isLetGo = await within(runner.stop(), left());
    await within(http.close(goodbyeMs), 2 * goodbyeMs);
    await http.stop();
    await events.close();
    await retention.stop();
    await database.close();
    return isEngineClosed && isLetGo;
  }

  let stopped: Promise<boolean> | undefined;
  return {
    url: `http://${hostInUrl(config.host)}:${port}`,
    version,
    dataFolder,
    database,
    engine,
    frames: live.frames.counters,
    close: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function createServices(parts: {
  config: Config;
  version: string;
  client: Database['client'];
  events: ReturnType<typeof createMemoryEvents>;
  live: ReturnType<typeof createLive>;
  engine: Engine;
  links: Services['links'];
}): Services {
  const { config, version, client, events, live, engine, links } = parts;
  const { defaultModel, maxQueued, maxOpenWaits, eventRetentionSeconds } = config;
  const describeModels = () => engine.models;
  const models = createModelList({ models: describeModels, defaultModel });
  const projects = createProjects({ client });
  const assets = createAssets({ client });
  const generations = createGenerations({
    client,
    events,
    live,
    models: describeModels,
    defaultModel,
    maxQueued,
    maxOpenWaits,
  });
  const nodes = createNodes({ client, projects, assets, generations, model: models.find });
  const installation = { version, maxQueued, maxRunning: concurrency, eventRetentionSeconds };
  return { generations, projects, assets, nodes, models, links, installation };
}

function openEngine(
  config: Config,
  {
    version,
    dataFolder,
    log,
    workerUrl,
  }: { version: string; dataFolder: string; log: Log; workerUrl?: URL },
): Promise<Engine> {
  const folders = [ownModels, ...(config.modelsDir ? [config.modelsDir] : [])];
  return startEngine({
    modelFolders: folders.filter((folder) => folder !== ownModels || existsSync(folder)),
    provider: config.provider,
    threads: config.threads,
    checksumFile: join(dataFolder, 'checksums.json'),
    version,
    workerUrl,
    onExit: (reason) => log.error({ err: reason }, 'the engine was lost, another one starts'),
  });
}

/** @throws StartError: better now than with the first picture. */
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

/** Names under which clients reach it: where it listens, and where it says it does. */
function hostOf({ host, publicUrl }: Config): string[] {
  const own = hostInUrl(host);
  return publicUrl ? [own, new URL(publicUrl).hostname] : [own];
}

/** Whether it ended in time; what it throws is thrown. */
async function within(work: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
