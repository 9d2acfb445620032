import type { Channel, Events, Message } from './events.ts';

type Listener = (message: Message) => void;

/**
 * Events inside one process. Listeners are called one after the other, within `publish`; what one of them
 * throws is a defect of its own: it goes to `onDefect`, and the next one is called.
 */
export function createMemoryEvents(onDefect: (error: unknown) => void = throwLater): Events {
  const channels = new Map<Channel, Set<Listener>>();
  return {
    publish(channel, message) {
      // A copy: a listener that leaves, or joins, while it is called changes the set.
      for (const listener of [...(channels.get(channel) ?? [])]) {
        try {
          listener(message);
        } catch (error) {
          onDefect(error);
        }
      }
    },
    async subscribe(channel, listener) {
      const own: Listener = (message) => listener(message);
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(own));
      return () => {
        listeners.delete(own);
        if (listeners.size === 0 && channels.get(channel) === listeners) channels.delete(channel);
      };
    },
    async close() {
      channels.clear();
    },
  };
}

/** Out of the way of those who publish and listen, but not out of sight. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
