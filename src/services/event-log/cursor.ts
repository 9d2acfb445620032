import { createHash } from 'node:crypto';
import type { Mismatch } from '../../errors.ts';

/** Position in an owner's log. Opaque, and bound to the owner: it means nothing in another's log. */
export function encodeEventCursor(ownerId: string, number: number): string {
  return Buffer.from(`${number}.${ownerMark(ownerId)}`).toString('base64url');
}

/** Null for what is no cursor of this owner's log. */
export function readEventCursor(ownerId: string, cursor: string): number | null {
  const text = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  const number = Number(text.slice(0, text.indexOf('.')));
  const isNumber = Number.isSafeInteger(number) && number >= 0;
  // Several texts decode to the same position; only the one that we write is a cursor.
  return isNumber && encodeEventCursor(ownerId, number) === cursor ? number : null;
}

export function eventCursorProblems(ownerId: string, after: string | null): Mismatch[] {
  if (after === null || readEventCursor(ownerId, after) !== null) return [];
  const expected = 'a cursor of this event log';
  return [{ path: ['after'], code: 'BAD_CURSOR', expected, got: after }];
}

function ownerMark(ownerId: string): string {
  return createHash('sha256').update(`event log ${ownerId}`).digest('hex').slice(0, 12);
}
