import { resolve } from 'node:path';
import { closedPipe } from '../closed-pipe.ts';
import { type Config, loadConfig } from '../config.ts';
import { currentOwner } from '../database/ownership.ts';
import { StartError } from '../errors.ts';
import { printable } from '../printable.ts';
import { hostInUrl, readAddress } from '../server/address.ts';
import { download, isEasel, query, ServerRefused, subscribe } from './api-client.ts';
import {
  type GenerateArguments,
  generateUsage,
  parseGenerateArguments,
} from './generate-arguments.ts';
import { saveImage } from './image-file.ts';
import { type Output, ProgressBar } from './progress-bar.ts';
import { drawImage, imageProtocol, type TerminalEnvironment } from './terminal-image.ts';

export type GenerateSurroundings = {
  /** Where the Easel of this machine listens, if one runs. */
  readonly defaultUrl: string;
  /** Starts one; asked only where none runs. */
  readonly startServer: () => Promise<{ readonly url: string; close(): Promise<void> }>;
  /** The paths of the images, and the images; progress and complaints go to `stderr`. */
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: TerminalEnvironment;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
};

/**
 * `npm run generate`: an ordinary client of the public API.
 * @returns the exit code: 0, 1 with one sentence on `stderr`, or 130 when interrupted.
 */
export async function generateCommand(
  argv: readonly string[],
  surroundings: GenerateSurroundings,
): Promise<number> {
  const { stdout, stderr, signal } = surroundings;
  try {
    const parsed = parseGenerateArguments(argv);
    if (parsed === 'help') {
      stdout.write(generateUsage);
      return 0;
    }
    const server = await reachServer(parsed.url, surroundings);
    try {
      if (signal.aborted) return 130;
      return await generateAt(server.url, parsed, surroundings);
    } finally {
      await server.close();
    }
  } catch (error) {
    if (!isSentence(error)) throw error;
    stderr.write(`${printable(error.message)}\n`);
    return 1;
  }
}

/** `npm run generate -- "a prompt" …`, in the surroundings of this process. */
export async function run(argv: readonly string[]): Promise<number> {
  const config = loadConfig();
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const closed = closedPipe();
  const configured = config.publicUrl ?? `http://${hostInUrl(config.host)}:${config.port}`;
  const { isTTY, columns } = process.stderr;
  return generateCommand(argv, {
    defaultUrl: (await addressOfOwner(config)) ?? configured,
    async startServer() {
      const [{ end, startApp }, { createLog }] = await Promise.all([
        import('../app.ts'),
        import('../server/log.ts'),
      ]);
      const log = createLog('error', { isTerminal: true });
      const app = await startApp(config, { log });
      const close = async () => {
        if (!(await app.close())) end();
      };
      return { url: app.url, close };
    },
    stdout: process.stdout,
    stderr: { isTTY, columns, write: (text) => closed.aborted || process.stderr.write(text) },
    env: process.env,
    signal: AbortSignal.any([interrupt.signal, closed]),
  });
}

/** Address of the server that uses the data folder; null where there is none. */
async function addressOfOwner({ dataDir, databaseUrl }: Config): Promise<string | null> {
  const folder = resolve(dataDir);
  const address = readAddress(folder);
  if (address === null) return null;
  // On a database server nobody owns the folder; whether an Easel answers at the address is asked anyway.
  if (databaseUrl) return address.url;
  return (await currentOwner(folder))?.pid === address.pid ? address.url : null;
}

/** Errors whose message is all that a person needs. */
function isSentence(error: unknown): error is Error {
  return error instanceof ServerRefused || error instanceof StartError;
}

async function reachServer(asked: URL | null, surroundings: GenerateSurroundings) {
  const url = asked ?? new URL(surroundings.defaultUrl);
  if (await isEasel(url)) {
    if (!asked) surroundings.stderr.write(`Using the Easel at ${url.origin}.\n`);
    return { url, close: async () => {} };
  }
  if (asked)
    throw new ServerRefused(`Expected an Easel at ${asked.origin}, but none answers there`);
  surroundings.stderr.write('No Easel is running: starting one for this image.\n');
  const server = await surroundings.startServer();
  return { url: new URL(server.url), close: () => server.close() };
}

type Image = { readonly index: number; readonly seed: string; readonly url: string };
type Generation = {
  readonly id: string;
  readonly eventCursor: string;
  readonly settings: { readonly seed: string; readonly count: number };
};
type Event = { readonly cursor: string; readonly generation?: { readonly progress: number } } & (
  | { readonly __typename: 'GenerationQueued'; readonly position: number }
  | {
      readonly __typename: 'GenerationProgress';
      readonly stage: string;
      readonly step: number;
      readonly steps: number;
    }
  | { readonly __typename: 'GenerationImageReady'; readonly image: Image }
  | { readonly __typename: 'GenerationSucceeded'; readonly finished: { readonly images: Image[] } }
  | { readonly __typename: 'GenerationFailed'; readonly failure: { readonly message: string } }
  | { readonly __typename: 'GenerationCanceled' | 'GenerationStarted' | 'EventsReset' }
);

/** Exported for the test that holds them against the printed schema. */
export const documents = {
  generate: /* GraphQL */ `
    mutation Generate($input: GenerateInput!) {
      generate(input: $input) { generation { id eventCursor settings { seed count } } }
    }`,
  cancel: /* GraphQL */ `
    mutation Cancel($input: CancelGenerationInput!) {
      cancelGeneration(input: $input) { alreadyFinished }
    }`,
  events: /* GraphQL */ `
    subscription Events($id: ID!, $after: Cursor) {
      generationEvents(id: $id, after: $after) {
        __typename
        cursor
        ... on GenerationEvent { generation { progress } }
        ... on GenerationQueued { position }
        ... on GenerationProgress { stage step steps }
        ... on GenerationImageReady { image { index seed url } }
        ... on GenerationSucceeded { finished: generation { images { index seed url } } }
        ... on GenerationFailed { failure { message } }
      }
    }`,
} as const;

async function generateAt(
  url: URL,
  { settings, out }: GenerateArguments,
  { stdout, stderr, env, signal }: GenerateSurroundings,
): Promise<number> {
  const { generate } = await query<{ generate: { generation: Generation } }>(
    url,
    documents.generate,
    { input: { settings } },
  );
  const { id, eventCursor, settings: used } = generate.generation;
  const bar = new ProgressBar(stderr);
  const saved = new Set<number>();

  const save = async (image: Image) => {
    if (saved.has(image.index)) return;
    const png = await download(new URL(image.url, url));
    const path = await saveImage(png, { out, seed: image.seed, isOneOfMany: used.count > 1 });
    saved.add(image.index);
    bar.clear();
    const protocol = stdout.isTTY ? imageProtocol(env) : null;
    if (protocol) stdout.write(await drawImage(png, protocol, stdout.columns ?? 80));
    stdout.write(`${path}\n`);
  };

  bar.show(0, `seed ${used.seed}`);
  for await (const event of subscribe<Event>(
    url,
    documents.events,
    { id, after: eventCursor },
    signal,
  )) {
    const progress = event.generation?.progress ?? 0;
    switch (event.__typename) {
      case 'GenerationQueued':
        // 0 where its turn came before the event did.
        if (event.position > 0)
          bar.show(progress, `waiting, number ${event.position} in the queue`);
        break;
      case 'GenerationProgress': {
        const image = used.count > 1 ? `image ${saved.size + 1} of ${used.count}, ` : '';
        bar.show(progress, image + describeStage(event));
        break;
      }
      case 'GenerationImageReady':
        await save(event.image);
        break;
      case 'GenerationSucceeded':
        for (const image of event.finished.images) await save(image);
        return 0;
      case 'GenerationFailed':
        bar.clear();
        throw new ServerRefused(event.failure.message);
      case 'GenerationCanceled':
        bar.clear();
        stderr.write('Canceled.\n');
        return signal.aborted ? 130 : 1;
      default:
        break; // Started, reset, or a type that this client does not know.
    }
  }
  bar.clear();
  if (!signal.aborted) {
    throw new ServerRefused('Expected the generation to end, but its events ended before it');
  }
  await query(url, documents.cancel, { input: { id } });
  stderr.write('Canceled.\n');
  return 130;
}

function describeStage({ stage, step, steps }: { stage: string; step: number; steps: number }) {
  switch (stage) {
    case 'LOADING_MODEL':
      return 'loading the model';
    case 'ENCODING':
      return 'encoding the prompt';
    case 'DECODING':
      return 'decoding the image';
    case 'SAVING':
      return 'saving';
    default:
      return `step ${step} of ${steps}`;
  }
}
