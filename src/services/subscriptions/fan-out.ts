import type { Events, Message } from '../../events/events.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { currentNumbers } from '../event-log/log.ts';
import type { ProgressMessage, Scope } from './live.ts';

/** A viewer's ear. Called for its own scope only: whoever watches something idle is not woken. */
export type Listener = {
  logged(number: number): void;
  progress(message: ProgressMessage): void;
};

export type Audience = {
  /** Resolves when listening. */
  join(ownerId: string, scope: Scope, listener: Listener): Promise<() => void>;
};

/** How often the log itself is asked for what no news came of. */
const lookEveryMs = 5_000;

type House = {
  /** Number up to which the seats have heard of every state change. */
  known: number;
  /** Numbers beyond that of which they have. */
  readonly news: Set<number>;
  readonly seats: Map<string, Set<Listener>>;
  readonly unsubscribe: Promise<() => void>;
};

/**
 * All viewers of this process behind one subscription per owner, each found by what it watches. News can get
 * lost: a change may be committed by a database that dies before it says so, and then nobody announces it. So
 * while anybody listens, the log's numbers are compared with what was heard: one query for all, every few seconds.
 */
export function createAudience({
  client,
  events,
}: {
  client: PrismaClient;
  events: Events;
}): Audience {
  const houses = new Map<string, House>();
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    // Who listens is not told of a database that fails: the next look may go well.
    const numbers = await currentNumbers(client, [...houses.keys()]).catch(() => new Map());
    for (const [ownerId, number] of numbers) {
      const house = houses.get(ownerId);
      if (house !== undefined) catchUp(house, number);
    }
  };
  const open = (ownerId: string): House => {
    const seats: House['seats'] = new Map();
    const house: House = {
      known: 0,
      news: new Set(),
      seats,
      unsubscribe: events.subscribe(`owner:${ownerId}`, (message) => deliver(house, message)),
    };
    houses.set(ownerId, house);
    timer ??= setInterval(look, lookEveryMs).unref();
    return house;
  };
  const close = (ownerId: string) => {
    houses.delete(ownerId);
    if (houses.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  return {
    async join(ownerId, scope, listener) {
      const house = houses.get(ownerId) ?? open(ownerId);
      const key = keyOf(scope);
      const row = house.seats.get(key) ?? new Set();
      house.seats.set(key, row.add(listener));
      const leave = () => {
        row.delete(listener);
        if (row.size === 0 && house.seats.get(key) === row) house.seats.delete(key);
        if (house.seats.size > 0 || houses.get(ownerId) !== house) return;
        close(ownerId);
        // Where subscribing failed, `join` has said so, and there is nothing to leave.
        house.unsubscribe.then(
          (unsubscribe) => unsubscribe(),
          () => {},
        );
      };
      try {
        await house.unsubscribe;
      } catch (error) {
        leave();
        throw error;
      }
      return leave;
    },
  };
}

function deliver(house: House, message: Message): void {
  if (message.type !== 'logged' && message.type !== 'progress') return;
  if (message.type === 'logged' && message.cursor > house.known) house.news.add(message.cursor);
  const scopes: Scope[] = [
    { type: 'generation', id: message.generationId },
    { type: 'project', id: message.projectId },
    { type: 'owner', id: message.ownerId },
  ];
  for (const scope of scopes) {
    for (const listener of [...(house.seats.get(keyOf(scope)) ?? [])]) {
      if (message.type === 'logged') listener.logged(message.cursor);
      else listener.progress(message);
    }
  }
}

/** Where a number up to this one was not heard of: whose change it was is not known, so all seats look. */
function catchUp(house: House, number: number): void {
  const heard = [...house.news].filter((news) => news <= number);
  const missing = number - house.known - heard.length;
  house.known = number;
  for (const news of heard) house.news.delete(news);
  if (missing === 0) return;
  for (const listener of [...house.seats.values()].flatMap((row) => [...row])) {
    listener.logged(number);
  }
}

function keyOf({ type, id }: Scope): string {
  return `${type}:${id}`;
}
