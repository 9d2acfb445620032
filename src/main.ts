import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type App, end, startApp } from './app.ts';
import { closedPipe } from './closed-pipe.ts';
import { type Config, loadConfig } from './config.ts';
import { StartError } from './errors.ts';
import { printable } from './printable.ts';
import { createLog, type Log } from './server/log.ts';
import { systemFault, systemReason } from './system-error.ts';

/**
 * Starts Easel and keeps it running until a signal ends it. Prints its addresses and folders: for a person at a terminal
 * or after `npm start` as text, else as a line of the log.
 * @throws StartError in one sentence
 */
export async function main({ isForPerson = process.stdout.isTTY === true } = {}): Promise<void> {
  const startedAt = performance.now();
  const config = loadConfig();
  const isTerminal = process.stdout.isTTY === true;
  const log = createLog(config.logLevel, { isTerminal });
  const app = await startApp(config, { log }).catch((error: unknown) => {
    throw error instanceof StartError ? error : explain(error);
  });
  stopOnSignals(app, { log, config });
  announce(app, { log, isForPerson, seconds: (performance.now() - startedAt) / 1000 });
}

/** Time for the rest of a stop, after the wait for the engine. */
const restOfStopMs = 2_000;

/**
 * SIGTERM and SIGINT stop in order. A second SIGINT ends the process at once, and so does a stop that takes too long,
 * before a supervisor would kill it.
 */
function stopOnSignals(app: App, { log, config }: { log: Log; config: Config }): void {
  let isStopping = false;
  const stop = async (reason: string, exitCode: number) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error('the stop takes too long: ending at once');
      end();
    }, config.stopTimeoutMs + restOfStopMs);
    const isClean = await app.close();
    if (!isClean) {
      log.warn(
        'the current run of the engine did not end in time: its generation is run again after the next start',
      );
      end();
    }
    log.info('stopped');
    process.exit(exitCode);
  };
  const attempt = (reason: string, exitCode: number) => {
    stop(reason, exitCode).catch((error: unknown) => {
      log.error({ err: error }, 'stopping failed');
      end();
    });
  };
  closedPipe().addEventListener('abort', () => attempt('the reader of its output has gone', 0));
  process.on('SIGTERM', () => attempt('SIGTERM', 0));
  process.on('SIGINT', () => (isStopping ? end() : attempt('SIGINT', 0)));
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught exception: stopping');
    attempt('uncaught exception', 1);
  });
}

/** The start failed on a system call that no part of it has words for. */
function explain(error: unknown): unknown {
  if (systemFault(error) === null || !(error instanceof Error)) return error;
  const text = `Expected to read and write files, but ${systemReason(error)} (${error.message})`;
  return new StartError(text, { cause: error });
}

function announce(
  { url, version, dataFolder, database, engine }: App,
  { log, isForPerson, seconds }: { log: Log; isForPerson: boolean; seconds: number },
): void {
  const { provider, models } = engine;
  const usable = models.filter(({ available }) => available).map(({ name }) => name);
  if (!isForPerson) {
    const startedInMs = Math.round(seconds * 1000);
    const fields = { url, version, dataFolder, database: database.kind, models: usable, provider };
    log.info({ ...fields, startedInMs }, 'listening');
    return;
  }
  process.stdout.write(`
Easel ${version}, started in ${seconds.toFixed(1)} s

  API explorer  ${url}/graphql
  Images        ${dataFolder}
  Database      ${database.kind === 'embedded' ? 'embedded, in the same folder' : 'PostgreSQL server'}
  Models        ${printable(usable.join(', '))} (on ${provider})
  Health        ${url}/health, ${url}/ready, ${url}/metrics

A first image:

${firstRequest(url)}

`);
}

/** A command for a shell; its answer contains the URL of the image. */
function firstRequest(url: string): string {
  const query = `mutation { generate(input: { settings: { prompt: "a red boat on the sea at sunset" }, waitSeconds: 60 }) { generation { status images { url } } } }`;
  return `curl -s ${url}/graphql -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`;
}

/** `node dist/main.js`, as a container starts it. */
const isProgram =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isProgram) {
  const [unknown] = process.argv.slice(2);
  if (unknown !== undefined) {
    process.stderr.write(
      `easel: Expected no arguments, but got "${unknown}": it is configured by environment variables, see README.md\n`,
    );
    process.exit(1);
  }
  main().catch((error: unknown) => {
    const text = error instanceof StartError ? error.message : String((error as Error).stack);
    process.stderr.write(`easel: ${text}\n`);
    process.exit(1);
  });
}
