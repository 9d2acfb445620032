import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from 'graphql-ws';
import { pino } from 'pino';
import WebSocket from 'ws';
import { type App, startApp } from '../../src/app.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import type { Engine } from '../../src/inference/engine/engine.ts';
import type { Generate, ModelDescription } from '../../src/inference/request.ts';
import { createLog } from '../../src/server/log.ts';
import { copyDataFolder } from './database.ts';
import { writeRandomModel } from './random-model.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are what the test's own query says.
type Answer = any;
type Variables = Record<string, unknown>;

export type GraphQLErrorBody = {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string; readonly requestId: string } & Record<
    string,
    unknown
  >;
};

export class Refused extends Error {
  constructor(readonly errors: readonly GraphQLErrorBody[]) {
    super(JSON.stringify(errors));
  }
}

export type TestServer = {
  readonly app: App;
  readonly url: string;
  /** The data of a query or mutation; an answer with errors throws. */
  gql(query: string, variables?: Variables): Promise<Answer>;
  /** The whole answer, with its status. */
  post(
    query: string,
    variables?: Variables,
    headers?: Record<string, string>,
  ): Promise<{ status: number; data: Answer; errors: GraphQLErrorBody[]; text: string }>;
  /** Events of a subscription, over a WebSocket of its own. */
  subscribe(query: string, variables?: Variables): AsyncIterableIterator<Answer>;
  /** A real client, as a frontend has it. */
  socketClient(options?: { retryAttempts?: number }): Client;
  close(): Promise<void>;
};

export type TestServerOptions = {
  /** Stands in for the engine; left out, the real one draws with a tiny model of random weights. */
  readonly generate?: Generate;
  readonly config?: Partial<Config>;
  /** The entry of the real engine's thread. */
  readonly workerUrl?: URL;
  /** Sees every line of the log. */
  readonly onLog?: (line: LogLine) => void;
};

export type LogLine = { readonly msg: string; readonly err?: { readonly message: string } };

/** A whole Easel with a data folder of its own, on a free port. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'easel-'));
  const modelsDir = join(folder, 'models');
  writeRandomModel(join(modelsDir, 'random'));
  const config: Config = {
    ...loadConfig({ PORT: '0', THREADS: '1', LOG_LEVEL: 'silent', DEFAULT_MODEL: 'random' }),
    dataDir: join(folder, 'data'),
    modelsDir,
    ...options.config,
  };
  // To make a database takes seconds, to copy one a tenth of one.
  if (!config.databaseUrl && !existsSync(config.dataDir)) await copyDataFolder(config.dataDir);
  const { generate, workerUrl, onLog } = options;
  const log = onLog
    ? pino({ level: 'info' }, { write: (line: string) => onLog(JSON.parse(line)) })
    : createLog(config.logLevel, { isTerminal: false });
  const overrides = generate ? { engine: standIn(generate) } : { workerUrl };
  const app = await startApp(config, { log, overrides });
  const graphql = `${app.url}/graphql`;
  const clients = new Set<Client>();

  const post: TestServer['post'] = async (query, variables = {}, headers = {}) => {
    const response = await fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    const { data, errors = [] } = JSON.parse(text);
    return { status: response.status, data, errors, text };
  };
  const socketClient: TestServer['socketClient'] = ({ retryAttempts = 0 } = {}) => {
    const client = createClient({
      url: graphql.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts,
      retryWait: async () => {},
      lazy: true,
    });
    clients.add(client);
    return client;
  };

  return {
    app,
    url: app.url,
    post,
    socketClient,
    async gql(query, variables) {
      const { data, errors } = await post(query, variables);
      if (errors.length > 0) throw new Refused(errors);
      return data;
    },
    async *subscribe(query, variables = {}) {
      const client = socketClient();
      try {
        for await (const result of client.iterate({ query, variables })) {
          if (result.errors) throw new Refused(result.errors as readonly GraphQLErrorBody[]);
          yield Object.values(result.data ?? {})[0];
        }
      } catch (error) {
        throw Array.isArray(error) ? new Refused(error) : error;
      } finally {
        await client.dispose();
        clients.delete(client);
      }
    },
    async close() {
      for (const client of clients) await client.dispose();
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function standIn(generate: Generate): Engine {
  return {
    models: [standInModel],
    provider: 'stand-in',
    isAlive: true,
    generate,
    countTokens: async () => ({ tokens: 1, truncated: false }),
    preload: () => {},
    listModels: async () => [standInModel],
    findModel: async (name) => (name === standInModel.name ? standInModel : null),
    close: async () => true,
  };
}

const standInModel: ModelDescription = {
  name: 'random',
  title: 'Stand-in',
  description: null,
  license: null,
  available: true,
  unavailableReason: null,
  parameters: 1,
  precision: 'F32',
  maxPromptTokens: 300,
  vocabulary: null,
  defaults: { width: 64, height: 64, steps: 4, guidanceScale: 4.5, sampler: 'DPMPP_2M' },
  sizes: [{ width: 64, height: 64 }],
  samplers: ['DPMPP_2M'],
};

/** The first `count` that come, then the iteration is left. */
export async function take<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

/** All that come until the iteration ends by itself. */
export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const taken: Item[] = [];
  for await (const item of items) taken.push(item);
  return taken;
}
