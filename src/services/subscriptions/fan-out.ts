import type { Events, FrameMessage, Message, ProgressMessage, Scope } from '../../events/events.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { currentNumbers } from '../event-log/log.ts';

/** One subscriber. Called for its own scope only: a subscriber of something idle is not woken. */
export type Listener = {
  /** State changes up to this number are committed. */
  logged(number: number): void;
  progress(message: ProgressMessage): void;
  frame(message: FrameMessage): void;
};

export type FanOut = {
  /** Resolves when listening. */
  join(ownerId: string, scope: Scope, listener: Listener): Promise<() => void>;
  close(): void;
};

/** How often the log itself is asked for changes whose message was lost. */
const checkEveryMs = 5_000;

type Owner = {
  /** Number up to which the listeners were told of every state change. */
  known: number;
  /** Numbers beyond that of which they were told. */
  readonly told: Set<number>;
  readonly listeners: Map<string, Set<Listener>>;
  readonly unsubscribe: Promise<() => void>;
};

/**
 * All subscribers of this process behind one subscription per owner, each found by its scope. Messages can get
 * lost: a change may be committed by a database that dies before it answers, and then nobody announces it. So
 * while there are listeners, the log's numbers are compared with those received: one query for all, every few
 * seconds.
 */
export async function startFanOut({
  client,
  events,
  onFrame,
}: {
  client: PrismaClient;
  events: Events;
  /** Called for every frame, before its listeners. */
  onFrame: (message: FrameMessage) => void;
}): Promise<FanOut> {
  const owners = new Map<string, Owner>();
  let timer: NodeJS.Timeout | undefined;
  const check = async () => {
    // The listeners are not told of a database that fails: the next check may succeed.
    const numbers = await currentNumbers(client, [...owners.keys()]).catch(() => new Map());
    for (const [ownerId, number] of numbers) {
      const owner = owners.get(ownerId);
      if (owner !== undefined) catchUp(owner, number);
    }
  };
  const open = (ownerId: string): Owner => {
    const owner: Owner = {
      known: 0,
      told: new Set(),
      listeners: new Map(),
      unsubscribe: events.subscribe(`owner:${ownerId}`, (message) => {
        if (message.type === 'frame') onFrame(message);
        deliver(owner, message);
      }),
    };
    owners.set(ownerId, owner);
    timer ??= setInterval(check, checkEveryMs).unref();
    return owner;
  };
  const close = (ownerId: string) => {
    owners.delete(ownerId);
    if (owners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const unsubscribe = await events.subscribe('progress', (message) => {
    const owner = message.type === 'progress' ? owners.get(message.ownerId) : undefined;
    if (owner !== undefined) deliver(owner, message);
  });
  return {
    async join(ownerId, scope, listener) {
      const owner = owners.get(ownerId) ?? open(ownerId);
      const key = keyOf(scope);
      const together = owner.listeners.get(key) ?? new Set();
      owner.listeners.set(key, together.add(listener));
      const leave = () => {
        together.delete(listener);
        if (together.size === 0 && owner.listeners.get(key) === together)
          owner.listeners.delete(key);
        if (owner.listeners.size > 0 || owners.get(ownerId) !== owner) return;
        close(ownerId);
        // Where subscribing failed, `join` has said so, and there is nothing to leave.
        owner.unsubscribe.then(
          (end) => end(),
          () => {},
        );
      };
      try {
        await owner.unsubscribe;
      } catch (error) {
        leave();
        throw error;
      }
      return leave;
    },
    close() {
      clearInterval(timer);
      unsubscribe();
    },
  };
}

function deliver(owner: Owner, message: Message): void {
  if (message.type !== 'logged' && message.type !== 'progress' && message.type !== 'frame') return;
  if (message.type === 'logged' && message.cursor > owner.known) owner.told.add(message.cursor);
  for (const scope of scopesOf(message)) {
    // A copy: a listener that leaves while it is called changes the set.
    for (const listener of [...(owner.listeners.get(keyOf(scope)) ?? [])]) {
      if (message.type === 'logged') listener.logged(message.cursor);
      else if (message.type === 'progress') listener.progress(message);
      else listener.frame(message);
    }
  }
}

function scopesOf(message: {
  readonly ownerId: string;
  readonly projectId: string | null;
  readonly generationId: string | null;
}): Scope[] {
  const { ownerId, projectId, generationId } = message;
  return [
    ...(generationId === null ? [] : [{ type: 'generation', id: generationId } as const]),
    ...(projectId === null ? [] : [{ type: 'project', id: projectId } as const]),
    { type: 'owner', id: ownerId },
  ];
}

/** Where no message came of a number up to this one: which scope it belongs to is unknown, so all listeners look. */
function catchUp(owner: Owner, number: number): void {
  const told = [...owner.told].filter((one) => one <= number);
  const missing = number - owner.known - told.length;
  owner.known = number;
  for (const one of told) owner.told.delete(one);
  if (missing === 0) return;
  for (const listener of [...owner.listeners.values()].flatMap((together) => [...together])) {
    listener.logged(number);
  }
}

function keyOf({ type, id }: Scope): string {
  return `${type}:${id}`;
}
