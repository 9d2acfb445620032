import { createHash } from 'node:crypto';
import { DomainError } from '../errors.ts';
import type { Event, Prisma, PrismaClient } from '../generated/prisma/client.ts';

/** State changes that are rows of the log; the names of their GraphQL types. */
export const loggedTypes = [
  'GenerationQueued',
  'GenerationStarted',
  'GenerationImageReady',
  'GenerationSucceeded',
  'GenerationFailed',
  'GenerationCanceled',
] as const;
export type LoggedType = (typeof loggedTypes)[number];

export type NewEvent = {
  readonly ownerId: string;
  readonly type: LoggedType;
  readonly projectId: string;
  readonly generationId: string;
  readonly assetId?: string;
  /** What the row may no longer say when the event is read. */
  readonly payload?: Prisma.InputJsonObject;
};

/** Which part of an owner's log: one generation's, one project's, or all of it. */
export type LogFilter = { readonly generationId?: string; readonly projectId?: string };

export class BadEventCursor extends DomainError {
  constructor(got: string) {
    const shown = got.length > 60 ? `${got.slice(0, 60)}…` : got;
    super('BAD_CURSOR', `Expected a cursor out of this event log, but got "${shown}"`, {
      path: ['after'],
    });
  }
}

/**
 * Adds an event and returns its number. The counter lies in the owner's row, which stays locked until the
 * transaction ends: numbers appear in the order of commits and without gaps. So this comes last in its
 * transaction: whoever locked the counter first and a generation then could wait for one that does the reverse.
 */
export async function append(tx: Prisma.TransactionClient, event: NewEvent): Promise<number> {
  const { eventCounter } = await tx.user.update({
    where: { id: event.ownerId },
    data: { eventCounter: { increment: 1 } },
    select: { eventCounter: true },
  });
  await tx.event.create({ data: { ...event, number: eventCounter } });
  return Number(eventCounter);
}

/** The events after `number`, oldest first, at most `limit`. */
export function readSince(
  client: PrismaClient,
  ownerId: string,
  number: number,
  { filter, limit }: { filter: LogFilter; limit: number },
): Promise<Event[]> {
  return client.event.findMany({
    where: { ownerId, number: { gt: number }, ...filter },
    orderBy: { number: 'asc' },
    take: limit,
  });
}

/** Can a reader go on after `number`: it has been reached, and nothing that followed was cleared away? */
export async function canResume(
  client: PrismaClient,
  ownerId: string,
  number: number,
): Promise<boolean> {
  const current = await currentNumber(client, ownerId);
  if (number >= current) return number === current;
  const next = await client.event.findUnique({
    where: { ownerId_number: { ownerId, number: number + 1 } },
    select: { number: true },
  });
  return next !== null;
}

/** Number of the owner's last event; 0 before the first. */
export async function currentNumber(client: PrismaClient, ownerId: string): Promise<number> {
  const { eventCounter } = await client.user.findUniqueOrThrow({
    where: { id: ownerId },
    select: { eventCounter: true },
  });
  return Number(eventCounter);
}

/** Position of the owner's log. Read it before the rows it goes with. */
export async function currentCursor(client: PrismaClient, ownerId: string): Promise<string> {
  return encodeEventCursor(ownerId, await currentNumber(client, ownerId));
}

/** Opaque, and bound to the owner: one user's position means nothing in another's log. */
export function encodeEventCursor(ownerId: string, number: number): string {
  return Buffer.from(`${number}.${ownerMark(ownerId)}`).toString('base64url');
}

/** @throws BadEventCursor */
export function decodeEventCursor(ownerId: string, cursor: string): number {
  const text = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  const number = Number(text.slice(0, text.indexOf('.')));
  const isNumber = Number.isSafeInteger(number) && number >= 0;
  // Base64 and numbers have several spellings; a position has one cursor.
  if (!isNumber || encodeEventCursor(ownerId, number) !== cursor) throw new BadEventCursor(cursor);
  return number;
}

function ownerMark(ownerId: string): string {
  return createHash('sha256').update(`event log ${ownerId}`).digest('hex').slice(0, 12);
}
