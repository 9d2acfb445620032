import WebSocket from 'ws';

type Variables = Readonly<Record<string, unknown>>;

/** One operation over HTTP; what it answers is what the document asked for. */
export async function query<Result>(
  url: string,
  document: string,
  variables: Variables = {},
): Promise<Result> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: document, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Result; errors?: unknown };
  if (errors) throw new Error(`Expected an answer, but got ${JSON.stringify(errors)}`);
  return data;
}

export type Settings = {
  readonly prompt: string;
  readonly steps?: number;
  readonly count?: number;
  readonly width?: number;
  readonly height?: number;
  readonly exactSize?: boolean;
  readonly seed?: string;
};

/** A generation that was queued, as `generate` answers. */
export type Queued = { readonly id: string; readonly eventCursor: string };

export async function generate(url: string, settings: Settings): Promise<Queued> {
  const answer = await query<{ generate: { generation: Queued } }>(
    url,
    'mutation ($input: GenerateInput!) { generate(input: $input) { generation { id eventCursor } } }',
    { input: { settings } },
  );
  return answer.generate.generation;
}

export async function cancelGeneration(url: string, id: string): Promise<void> {
  const document =
    'mutation ($id: ID!) { cancelGeneration(input: { id: $id }) { alreadyFinished } }';
  await query(url, document, { id });
}

/** Another prompt each time, of about the same length: what was encoded once is kept. */
export function promptNumber(n: number): string {
  const colors = ['red', 'blue', 'green', 'yellow', 'pink', 'orange', 'purple', 'white'];
  const things = ['boat', 'house', 'tree', 'balloon', 'kite', 'cat', 'lighthouse', 'rocket'];
  const places = ['on the sea', 'on a beach', 'in a meadow', 'in the snow', 'in a forest'];
  const times = ['at sunset', 'at noon', 'at night', 'at dawn'];
  const of = (list: readonly string[], each: number) => list[Math.floor(n / each) % list.length];
  return `a ${of(colors, 1)} ${of(things, 8)} ${of(places, 64)} ${of(times, 320)}`;
}

/** An event as these documents ask for it; times in milliseconds since 1970. */
export type Event = {
  readonly __typename: string;
  readonly cursor: string;
  readonly at: string;
  readonly step?: number;
  readonly previews?: readonly { readonly step: number; readonly dataUrl: string }[];
};

export const withFrames = `__typename cursor at ... on GenerationProgress { step previews { step dataUrl } }`;
export const withoutFrames = `__typename cursor at ... on GenerationProgress { step }`;

export const finalEvents: ReadonlySet<string> = new Set([
  'GenerationSucceeded',
  'GenerationFailed',
  'GenerationCanceled',
]);

/** A WebSocket with one subscription: bare, so that what it costs itself is little and known. */
export class Viewer {
  readonly #socket: WebSocket;
  readonly #beat: NodeJS.Timeout;
  /** Resolves when the server has ended the subscription. */
  readonly ended: Promise<void>;

  private constructor(socket: WebSocket, ended: Promise<void>) {
    this.#socket = socket;
    this.ended = ended;
    // A paused socket cannot answer pings; it says unasked that it lives, and so is only slow.
    this.#beat = setInterval(() => socket.pong(), 5_000);
    socket.once('close', () => clearInterval(this.#beat));
  }

  /** `onEvent` also gets the moment at which its bytes were here, in milliseconds since 1970. */
  static async open(
    url: string,
    document: string,
    variables: Variables,
    onEvent: (event: Event, receivedAt: number) => void = () => {},
  ): Promise<Viewer> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: false,
    });
    const send = (message: object) => socket.send(JSON.stringify(message));
    socket.once('open', () => send({ type: 'connection_init' }));
    const opened = new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('message', () => resolve());
    });
    await opened;
    const ended = new Promise<void>((resolve, reject) => {
      socket.once('close', () => resolve());
      socket.on('message', (bytes) => {
        const receivedAt = performance.timeOrigin + performance.now();
        const message = JSON.parse(String(bytes)) as Message;
        if (message.type === 'next') {
          const [event] = Object.values(message.payload.data ?? {});
          if (event) onEvent(event, receivedAt);
          else reject(new Error(`Expected an event, but got ${String(bytes)}`));
        } else if (message.type === 'ping') send({ type: 'pong' });
        else if (message.type === 'error') reject(new Error(String(bytes)));
        else if (message.type === 'complete') resolve();
      });
    });
    send({ id: '1', type: 'subscribe', payload: { query: document, variables } });
    return new Viewer(socket, ended);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.terminate();
    await closed;
  }
}

type Message =
  | { readonly type: 'next'; readonly payload: { readonly data?: Record<string, Event> | null } }
  | { readonly type: 'error' | 'complete' | 'ping' | 'pong' | 'connection_ack' };

/** Follow a generation to its end. */
export async function follow(
  url: string,
  { id, eventCursor }: Queued,
  onEvent: (event: Event, receivedAt: number) => void = () => {},
  { preview, fields }: { preview: string; fields: string } = { preview: '', fields: withoutFrames },
): Promise<Event> {
  let last: Event | undefined;
  const document = `subscription ($id: ID!, $after: Cursor) {
    generationEvents(id: $id, after: $after${preview}) { ${fields} }
  }`;
  const viewer = await Viewer.open(url, document, { id, after: eventCursor }, (event, at) => {
    last = event;
    onEvent(event, at);
  });
  await viewer.ended;
  await viewer.close();
  if (last?.__typename !== 'GenerationSucceeded') {
    throw new Error(`Expected ${id} to succeed, but it ended with ${last?.__typename}`);
  }
  return last;
}

/** Draw and wait for the end. */
export async function draw(url: string, settings: Settings): Promise<string> {
  const queued = await generate(url, settings);
  await follow(url, queued);
  return queued.id;
}
