import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';
import { emptyTrash } from './trash.ts';

/** Time between two deletions. */
const everyMs = 3_600_000;

type Options = {
  readonly client: PrismaClient;
  /** Events older than this are deleted; a subscriber that resumes later gets an `EventsReset`. */
  readonly keepSeconds: number;
  /** Events of one owner beyond this many are deleted, the oldest first. */
  readonly keepEvents: number;
  /** Audit entries older than this are deleted. */
  readonly keepAuditDays: number;
  readonly storage: Storage;
  /** What has been in the trash for longer is deleted for good, files too. */
  readonly keepTrashDays: number;
  readonly onError: (error: unknown) => void;
};

/** Deletes old events, audit entries and what is long in the trash, now and every hour, until it is stopped. */
export function startRetention(options: Options): { stop(): Promise<void> } {
  const { client, keepSeconds, keepEvents, keepAuditDays, onError } = options;
  let running: Promise<unknown> = Promise.resolve();
  const clear = () => {
    running = running
      .then(() => clearOldEvents(client, keepSeconds))
      .then(() => clearEventsBeyond(client, keepEvents))
      .then(() => clearOldAudit(client, keepAuditDays))
      .then(() => emptyTrash(options, daysAgo(options.keepTrashDays)))
      .catch(onError);
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
 * Gives how many there were. Of each owner, all events up to the last old one, by number, also where the time of one of
 * them is a little later: so the numbers that stay have no gap, and a reader notices what was deleted.
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

/** All but the newest `keepEvents` of each owner. Gives how many there were. */
export function clearEventsBeyond(client: PrismaClient, keepEvents: number): Promise<number> {
  return client.$executeRaw`
    DELETE FROM "Event" e USING "User" u
    WHERE e."ownerId" = u."id" AND u."eventCounter" > ${keepEvents}
      AND e."number" <= u."eventCounter" - ${keepEvents}`;
}

/** Gives how many there were. */
export async function clearOldAudit(client: PrismaClient, keepDays: number): Promise<number> {
  const before = daysAgo(keepDays);
  const { count } = await client.auditEntry.deleteMany({ where: { createdAt: { lt: before } } });
  return count;
}

function daysAgo(days: number): Date {
  return new Date(Date.now() - days * 24 * 60 * 60 * 1000);
}
