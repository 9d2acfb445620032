import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { connectionLimits } from './limits.ts';

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

/**
 * The messages of one WebSocket, taken as there is room: no more than a few operations are executed at once, and none
 * while the client has not taken what was sent before. What must wait is not computed; when too much waits, the
 * connection is not read. A message that ends an operation is never held up.
 */
export function createInbox(
  socket: WebSocket,
  connection: Duplex,
  { take, onBegin }: { take: Take; onBegin: (begun: Begun | null) => void },
) {
  const { operationsAtOnce, unreadBytes, waitingMessages } = connectionLimits;
  let waiting: Waiting[] = [];
  let executing = 0;

  const hasRoom = () => connection.writableLength <= unreadBytes;
  const next = () => {
    while (waiting.length > 0 && executing < operationsAtOnce && hasRoom()) {
      begin(waiting.shift()!.text);
    }
    const isFull = waiting.length >= waitingMessages;
    if (isFull && !socket.isPaused) socket.pause();
    if (!isFull && socket.isPaused) socket.resume();
  };
  const begin = (text: string) => {
    executing++;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    void ended.then(() => {
      executing--;
      next();
    });
    onBegin({ established: end, ended });
    void take(text).finally(end);
    onBegin(null);
  };

  connection.on('drain', next);
  return {
    receive(text: string): void {
      const { type, id } = headOf(text);
      const before = waiting.length;
      // Of an operation that has not begun nothing is left.
      if (type === 'complete') waiting = waiting.filter((one) => one.id !== id);
      if (type === 'subscribe' || type === 'ping') waiting.push({ id, text });
      else if (waiting.length === before) void take(text);
      next();
    },
    close(): void {
      waiting = [];
      connection.off('drain', next);
    },
  };
}

/** Nothing of a message that is no JSON: the protocol says what is wrong with it. */
function headOf(text: string): { type?: unknown; id?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
