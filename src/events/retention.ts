import type { PrismaClient } from '../generated/prisma/client.ts';

/** How often the log is looked through. */
const everyMs = 3_600_000;

type Options = {
  readonly client: PrismaClient;
  /** Events older than this are cleared away; a subscriber that comes back later gets an `EventsReset`. */
  readonly keepSeconds: number;
  readonly onError: (error: unknown) => void;
};

/** Clears away old events, now and every hour, until it is stopped. */
export function startRetention({ client, keepSeconds, onError }: Options): {
  stop(): Promise<void>;
} {
  let running: Promise<unknown> = Promise.resolve();
  const clear = () => {
    running = running.then(() => clearOldEvents(client, keepSeconds)).catch(onError);
  };
  const timer = setInterval(clear, everyMs);
  timer.unref();
  clear();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

/** Gives how many there were. An owner's numbers go on where they are: what is gone is a reader's to notice. */
export async function clearOldEvents(client: PrismaClient, keepSeconds: number): Promise<number> {
  const before = new Date(Date.now() - keepSeconds * 1000);
  const { count } = await client.event.deleteMany({ where: { createdAt: { lt: before } } });
  return count;
}
