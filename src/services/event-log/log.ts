import type { Event, Prisma, PrismaClient } from '../../generated/prisma/client.ts';

/** State changes that are rows of the log; the names of their GraphQL types. */
export const loggedTypes = [
  'GenerationQueued',
  'GenerationStarted',
  'GenerationImageReady',
  'GenerationSucceeded',
  'GenerationFailed',
  'GenerationCanceled',
  'AssetsChanged',
  'AssetsDeleted',
] as const;
export type LoggedType = (typeof loggedTypes)[number];

export type NewEvent = {
  readonly ownerId: string;
  readonly type: LoggedType;
  /** What the event is about, as far as it is about one project, generation or asset. */
  readonly projectId?: string | null;
  readonly generationId?: string | null;
  readonly assetId?: string | null;
  /** Values of the row at the time of the event, which may have changed when the event is read. */
  readonly payload?: Prisma.InputJsonObject;
};

/** Which part of an owner's log: one generation's, one project's, or all of it. */
export type LogFilter = { readonly generationId?: string; readonly projectId?: string };

/**
 * Adds events to the log of one owner and returns their numbers; called by `change`. The counter lies in the owner's row, which
 * stays locked until the transaction ends: numbers appear in the order of commits and without gaps.
 */
export async function append(
  tx: Prisma.TransactionClient,
  ownerId: string,
  events: readonly NewEvent[],
): Promise<number[]> {
  const { eventCounter } = await tx.user.update({
    where: { id: ownerId },
    data: { eventCounter: { increment: events.length } },
    select: { eventCounter: true },
  });
  const first = Number(eventCounter) - events.length + 1;
  const data = events.map((event, i) => ({ ...event, number: first + i }));
  await tx.event.createMany({ data });
  return data.map(({ number }) => number);
}

export type LogPage = {
  readonly events: readonly Event[];
  /** Number up to which the log has been read: where the next page begins. */
  readonly readTo: number;
};

export type LogStretch = {
  readonly after: number;
  readonly upTo: number;
  readonly filter: LogFilter;
  readonly limit: number;
};

/** Reads pages; those who ask for the same one at the same time share a query. */
export type LogReader = (ownerId: string, stretch: LogStretch) => Promise<LogPage | null>;

/** Events up to `upTo` are committed and do not change, so one read serves all that ask for its page meanwhile. */
export function createLogReader(client: PrismaClient): LogReader {
  const underWay = new Map<string, Promise<LogPage | null>>();
  return (ownerId, stretch) => {
    const { after, upTo, filter, limit } = stretch;
    const { generationId, projectId } = filter;
    const key = JSON.stringify([ownerId, after, upTo, generationId, projectId, limit]);
    const known = underWay.get(key);
    if (known) return known;
    const page = readPage(client, ownerId, stretch).finally(() => underWay.delete(key));
    underWay.set(key, page);
    return page;
  };
}

/**
 * The events after number `after`, oldest first, up to `upTo`, which has been committed. Null where what
 * follows `after` was deleted: numbers have no gaps, and the oldest are deleted first.
 */
export async function readPage(
  client: PrismaClient,
  ownerId: string,
  { after, upTo, filter, limit }: LogStretch,
): Promise<LogPage | null> {
  if (after >= upTo) return { events: [], readTo: after };
  const next = after + 1;
  // With a filter, the next event is read as well: where it is there, nothing was deleted.
  const part = Object.keys(filter).length === 0 ? {} : { OR: [filter, { number: next }] };
  const rows = await client.event.findMany({
    where: { ownerId, number: { gte: next, lte: upTo }, ...part },
    orderBy: { number: 'asc' },
    take: limit,
  });
  if (Number(rows[0]?.number) !== next) return null;
  const readTo = rows.length < limit ? upTo : Number(rows.at(-1)?.number);
  return { events: rows.filter((event) => passes(event, filter)), readTo };
}

function passes(event: Event, { generationId, projectId }: LogFilter): boolean {
  return (
    (generationId === undefined || event.generationId === generationId) &&
    (projectId === undefined || event.projectId === projectId)
  );
}

/** Number of the last event of each owner's log; 0 before the first. */
export async function currentNumbers(
  client: PrismaClient,
  ownerIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await client.user.findMany({
    where: { id: { in: [...ownerIds] } },
    select: { id: true, eventCounter: true },
  });
  return new Map(rows.map(({ id, eventCounter }) => [id, Number(eventCounter)]));
}
