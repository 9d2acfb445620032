import type { Events, Message } from '../../events/events.ts';
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

type House = {
  readonly seats: Map<string, Set<Listener>>;
  readonly unsubscribe: Promise<() => void>;
};

/** All viewers of this process behind one subscription per owner, each found by what it watches. */
export function createAudience(events: Events): Audience {
  const houses = new Map<string, House>();
  const open = (ownerId: string): House => {
    const seats: House['seats'] = new Map();
    const unsubscribe = events.subscribe(`owner:${ownerId}`, (message) => deliver(seats, message));
    const house = { seats, unsubscribe };
    houses.set(ownerId, house);
    return house;
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
        houses.delete(ownerId);
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

function deliver(seats: House['seats'], message: Message): void {
  if (message.type !== 'logged' && message.type !== 'progress') return;
  const scopes: Scope[] = [
    { type: 'generation', id: message.generationId },
    { type: 'project', id: message.projectId },
    { type: 'owner', id: message.ownerId },
  ];
  for (const scope of scopes) {
    for (const listener of [...(seats.get(keyOf(scope)) ?? [])]) {
      if (message.type === 'logged') listener.logged(message.cursor);
      else listener.progress(message);
    }
  }
}

function keyOf({ type, id }: Scope): string {
  return `${type}:${id}`;
}
