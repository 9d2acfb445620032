import type { PrismaClient } from '../../generated/prisma/client.ts';

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

/**
 * Gives how many there were. By number: of each owner all up to the last old one, also where one of them says
 * that it is a little younger. So no gap opens between two that stay, and what is gone is a reader's to notice.
 */
export function clearOldEvents(client: PrismaClient, keepSeconds: number): Promise<number> {
  const before = new Date(Date.now() - keepSeconds * 1000);
  return client.$executeRaw`
    WITH old AS (
      SELECT "ownerId", max("number") AS "last" FROM "Event"
      WHERE "createdAt" < ${before} GROUP BY "ownerId"
    )
    DELETE FROM "Event" e USING old WHERE e."ownerId" = old."ownerId" AND e."number" <= old."last"`;
}
