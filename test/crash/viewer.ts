import { createHash } from 'node:crypto';
import { type Client, createClient } from 'graphql-ws';
import sharp from 'sharp';
import WebSocket from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: answers are what the query says.
type Answer = any;

export type Asked = { readonly key: string; readonly seed: number; readonly count: number };
export type Drawn = {
  readonly id: string;
  readonly status: string;
  readonly replayed: boolean;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly images: readonly {
    readonly id: string;
    readonly index: number;
    readonly seed: string;
    readonly sha256: string;
    readonly url: string;
  }[];
};

/** A request over HTTP. @throws where nobody answers, or where the answer has errors. */
export async function ask(url: string, query: string, variables: object = {}): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as Answer;
  if (errors) throw new Error(`Refused: ${JSON.stringify(errors)}`);
  return data;
}

const generate = `mutation ($input: GenerateInput!) {
  generate(input: $input) {
    replayed
    generation {
      id status failure { code message }
      images { id index seed sha256 url }
    }
  }
}`;

/** The same request as often as it is made: the key says so. */
export async function draw(url: string, asked: Asked, waitSeconds = 0): Promise<Drawn> {
  const { key, seed, count } = asked;
  const settings = {
    prompt: 'a red boat on the sea',
    steps: 4,
    width: 64,
    height: 64,
    seed,
    count,
  };
  const input = { settings, idempotencyKey: key, waitSeconds };
  const { generate: answer } = await ask(url, generate, { input });
  return { replayed: answer.replayed, ...answer.generation };
}

/** SHA-256 over the pixels: what metadata a file carries makes no difference. */
export async function pixelsAt(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  if (!response.ok) throw new Error(`Expected an image, but got ${response.status}`);
  const pixels = await sharp(Buffer.from(await response.arrayBuffer()))
    .raw()
    .toBuffer();
  return createHash('sha256').update(pixels).digest('hex');
}

export type SeenEvent = {
  readonly type: string;
  readonly number: number;
  readonly generationId: string | null;
  readonly image: number | null;
};

/** A stock client that subscribes once, and comes back after every death with the last cursor it had. */
export class Subscriber {
  /** Every state change, as it came. */
  readonly seen: SeenEvent[] = [];
  #last: number;
  #wake = () => {};
  #fault: Error | undefined;
  #socket: WebSocket | undefined;
  readonly #client: Client;

  private constructor(url: string, after: string) {
    this.#last = numberOf(after);
    this.#client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
      shouldRetry: () => true,
      on: {
        opened: (socket) => {
          this.#socket = socket as WebSocket;
        },
      },
    });
    // The client sends this again whenever it connects: what it had last is in it.
    const variables = { after };
    this.#client.subscribe<Answer>(
      { query: everything, variables },
      {
        next: ({ data, errors }) => {
          if (errors) return this.#fail(`Expected events, but got ${JSON.stringify(errors)}`);
          const event = data.viewerEvents;
          variables.after = event.cursor;
          this.#take(event);
        },
        error: (error) => this.#fail(`Expected events, but got ${JSON.stringify(error)}`),
        complete: () => {},
      },
    );
  }

  static async join(url: string): Promise<Subscriber> {
    const { viewer } = await ask(url, '{ viewer { eventCursor } }');
    return new Subscriber(url, viewer.eventCursor);
  }

  /** Number of the last state change. */
  get last(): number {
    return this.#last;
  }

  /** Until it has had what was committed at the time of the call. @throws where anything was wrong so far */
  async catchUp(url: string): Promise<void> {
    const { viewer } = await ask(url, '{ viewer { eventCursor } }');
    while (this.#fault === undefined && this.#last < numberOf(viewer.eventCursor)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#fault) throw this.#fault;
  }

  /** Gone without a goodbye; the client comes back by itself. */
  vanish(): void {
    this.#socket?.terminate();
  }

  async leave(): Promise<void> {
    try {
      await this.#client.dispose();
    } catch {
      // It was on its way back to a server that has ended.
    }
  }

  /** Kept for whoever asks next: thrown here, it would be the client's to swallow. */
  #fail(why: string): void {
    this.#fault ??= new Error(why);
    this.#wake();
  }

  #take(event: Answer): void {
    const number = numberOf(event.cursor);
    if (event.__typename === 'GenerationProgress') {
      // Not of the log: it carries the number of the state change before it.
      if (number !== this.#last) this.#fail(`Progress at ${number} after ${this.#last}`);
      return;
    }
    if (number !== this.#last + 1) {
      this.#fail(`Expected event ${this.#last + 1}, but got ${number} (${event.__typename})`);
      return;
    }
    this.#last = number;
    this.seen.push({
      type: event.__typename,
      number,
      generationId: event.generation?.id ?? null,
      image: event.image?.index ?? null,
    });
    this.#wake();
  }
}

const everything = `subscription ($after: Cursor) {
  viewerEvents(after: $after) {
    __typename cursor
    ... on GenerationEvent { generation { id } }
    ... on GenerationImageReady { image { index } }
  }
}`;

/** Opaque to clients; a test of gaps must look inside. */
export function numberOf(cursor: string): number {
  return Number(Buffer.from(cursor, 'base64url').toString('latin1').split('.')[0]);
}

/** Is this how the life of a generation may go, deaths included? @throws where it is not */
export function checkLife(events: readonly SeenEvent[], count: number): void {
  const told = events.map(({ type, image }) => (image === null ? type : `${type}(${image})`));
  const refuse = (why: string): never => {
    throw new Error(`${why}: ${told.join(' ')}`);
  };
  const images = new Set<number>();
  let state = 'new';
  for (const { type, image } of events) {
    const next = (states: string[], to: string) => {
      if (!states.includes(state)) refuse(`${type} in ${state}`);
      state = to;
    };
    if (type === 'GenerationQueued') next(['new', 'running'], 'queued');
    else if (type === 'GenerationStarted') next(['queued'], 'running');
    else if (type === 'GenerationImageReady') {
      next(['running'], 'running');
      if (images.has(image!)) refuse(`image ${image} twice`);
      images.add(image!);
    } else if (type === 'GenerationSucceeded') next(['running'], 'over');
    else if (type === 'GenerationFailed') next(['running', 'queued'], 'over');
    else if (type === 'GenerationCanceled') next(['running', 'queued'], 'over');
    else refuse(`an unknown ${type}`);
  }
  const isDone = events.some(({ type }) => type === 'GenerationSucceeded');
  if (isDone && images.size !== count) refuse(`${images.size} of ${count} images`);
}
