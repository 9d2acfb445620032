import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';

/** The server refused a request, or gave an answer that is not GraphQL; the message is shown as it is. */
export class ServerRefused extends Error {
  override readonly name = 'ServerRefused';
}

type Variables = Record<string, unknown>;

/** Whether an Easel answers at the URL, and not another program. */
export async function isEasel(url: URL): Promise<boolean> {
  try {
    await query<{ server: { version: string } }>(url, '{ server { version } }', {});
    return true;
  } catch {
    return false; // It refuses, does not answer, or is another program.
  }
}

/**
 * One query or mutation.
 * @throws ServerRefused with the server's own sentence, where it gave one.
 */
export async function query<Result>(
  url: URL,
  document: string,
  variables: Variables,
): Promise<Result> {
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: document, variables }),
    signal: AbortSignal.timeout(30_000),
  }).catch((cause: unknown) => {
    throw new ServerRefused(`Expected an answer from ${url.origin}, but it could not be reached`, {
      cause,
    });
  });
  const body: unknown = await response.json().catch(() => null);
  const { data, errors } = asAnswer<Result>(body);
  const [error] = errors ?? [];
  if (error) throw new ServerRefused(error.message);
  if (!data) {
    throw new ServerRefused(
      `Expected an answer of GraphQL from ${url.origin}, but got status ${response.status}`,
    );
  }
  return data;
}

/** The bytes behind a link that the API handed out. @throws ServerRefused */
export async function download(url: URL): Promise<Buffer> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new ServerRefused(`Expected the image at ${url.origin}, but it was not reached`, {
      cause,
    });
  });
  if (!response.ok) {
    throw new ServerRefused(`Expected the image, but got status ${response.status}`);
  }
  return Buffer.from(await response.arrayBuffer());
}

/**
 * Events of one subscription until it ends. A connection that is lost is made again, and goes on
 * after the last cursor: `graphql-ws` sends the payload as it then is.
 * @throws ServerRefused
 */
export async function* subscribe<Event extends { readonly cursor: string }>(
  url: URL,
  document: string,
  variables: Variables & { after: string },
  signal: AbortSignal,
): AsyncGenerator<Event, void, void> {
  const client = socketClient(url);
  const payload = { query: document, variables };
  const events = client.iterate<{ [field: string]: Event }>(payload);
  const stop = () => void events.return?.();
  signal.addEventListener('abort', stop);
  try {
    for await (const { data, errors } of events) {
      if (errors?.[0]) throw new ServerRefused(errors[0].message);
      const event = Object.values(data ?? {})[0];
      if (!event) continue;
      variables.after = event.cursor;
      yield event;
    }
  } catch (cause) {
    throw asRefusal(cause, url);
  } finally {
    signal.removeEventListener('abort', stop);
    await client.dispose();
  }
}

function socketClient(url: URL): Client {
  const socketUrl = new URL('/graphql', url);
  socketUrl.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return createClient({
    url: socketUrl.href,
    webSocketImpl: WebSocket,
    retryAttempts: 8,
    // A server that restarts refuses connections for a moment; the client's own rule would give up.
    shouldRetry: () => true,
  });
}

function asRefusal(cause: unknown, url: URL): ServerRefused {
  if (cause instanceof ServerRefused) return cause;
  const [refusal] = Array.isArray(cause) ? cause : [];
  const message =
    typeof refusal?.message === 'string'
      ? refusal.message
      : `Expected events from ${url.origin}, but the connection was lost`;
  return new ServerRefused(message, { cause });
}

/** A checked border: the data is trusted to have the shape that the document asks for. */
function asAnswer<Result>(body: unknown) {
  const isAnswer = typeof body === 'object' && body !== null;
  return (isAnswer ? body : {}) as { data?: Result | null; errors?: { message: string }[] };
}
