import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { connectionLimits, incomingLimits } from './limits.ts';
import type { Turns } from './turns.ts';

/** Ends when the operation that the message began has ended, or at once for any other message. */
export type Take = (text: string) => Promise<void>;

/** One message that begins an operation, while it is executed. */
export type Begun = {
  /** Set by the protocol's hook: what the operation is known by. */
  payload?: object;
  /** Called when a subscription stands: from then on it waits for its own events. */
  established: () => void;
  /** Resolves then, or when the operation has ended. */
  readonly ended: Promise<void>;
};

type Waiting = { readonly id: unknown; readonly text: string };

export type InboxHooks = {
  readonly take: Take;
  readonly onBegin: (begun: Begun | null) => void;
  /** Bytes of the messages that wait or are executed, after each change. */
  readonly onBytes: (bytes: number) => void;
  /** Large messages of all WebSockets are read in turn. */
  readonly turns: Turns;
};

/**
 * The messages of one WebSocket, taken as there is room: no more than a few operations are executed at once, and none
 * while the client has not taken what was sent before. What must wait is not computed; when too much waits, the
 * connection is not read. A message that ends an operation is never held up, but by large ones before it.
 */
export function createInbox(
  socket: WebSocket,
  connection: Duplex,
  { take, onBegin, onBytes, turns }: InboxHooks,
) {
  const { operationsAtOnce, unreadBytes, waitingMessages } = connectionLimits;
  /** Not looked at yet, as there is a large one among them. */
  let unread: string[] = [];
  let waiting: Waiting[] = [];
  let executing = 0;
  let executingBytes = 0;

  const hasRoom = () => connection.writableLength <= unreadBytes;
  const mayBegin = ({ length }: string) => {
    const fits = executing === 0 || executingBytes + length <= incomingLimits.socketBytes;
    return executing < operationsAtOnce && fits && hasRoom();
  };
  const next = () => {
    while (waiting.length > 0 && mayBegin(waiting[0]!.text)) begin(waiting.shift()!.text);
    const texts = [...unread, ...waiting.map(({ text }) => text)];
    const waitingBytes = texts.reduce((sum, text) => sum + text.length, 0);
    onBytes(waitingBytes + executingBytes);
    const isFull = texts.length >= waitingMessages || waitingBytes > incomingLimits.socketBytes;
    if (isFull && !socket.isPaused) socket.pause();
    if (!isFull && socket.isPaused) socket.resume();
  };
  const begin = (text: string) => {
    executing++;
    executingBytes += text.length;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    void ended.then(() => {
      executing--;
      executingBytes -= text.length;
      next();
    });
    onBegin({ established: end, ended });
    void take(text).finally(end);
    onBegin(null);
  };
  const read = (text: string) => {
    const { type, id } = headOf(text);
    if (type === 'ping' && text.length > connectionLimits.pingBytes) {
      socket.close(badRequest, `Expected a ping of at most ${connectionLimits.pingBytes} bytes`);
      return;
    }
    const before = waiting.length;
    // Of an operation that has not begun nothing is left.
    if (type === 'complete') waiting = waiting.filter((one) => one.id !== id);
    if (type === 'subscribe' || type === 'ping') waiting.push({ id, text });
    else if (waiting.length === before) void take(text);
  };
  const readOne = () => {
    const text = unread.shift();
    if (text === undefined) return;
    read(text);
    next();
    if (unread.length > 0) turns.take(readOne);
  };

  connection.on('drain', next);
  return {
    receive(text: string): void {
      if (unread.length > 0 || text.length > incomingLimits.uncountedBytes) {
        unread.push(text);
        if (unread.length === 1) turns.take(readOne);
      } else read(text);
      next();
    },
    close(): void {
      unread = [];
      waiting = [];
      connection.off('drain', next);
    },
  };
}

/** As graphql-ws closes what it does not understand. */
const badRequest = 4400;

/** Nothing of a message that is no JSON: the protocol says what is wrong with it. */
function headOf(text: string): { type?: unknown; id?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
