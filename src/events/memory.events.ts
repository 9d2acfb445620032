import type { Channel, Events, Message } from './events.ts';

type Listener = (message: Message) => void;

/** Events inside one process. Listeners are called one after the other, within `publish`. */
export function createMemoryEvents(): Events {
  const channels = new Map<Channel, Set<Listener>>();
  return {
    publish(channel, message) {
      // A copy: a listener that leaves, or joins, while it is called changes the set.
      for (const listener of [...(channels.get(channel) ?? [])]) {
        try {
          listener(message);
        } catch (error) {
          // Reported as what it is, a defect of the listener, without harm to the others.
          queueMicrotask(() => {
            throw error;
          });
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
