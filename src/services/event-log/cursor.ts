import { createHash } from 'node:crypto';
import { BadInput } from '../../errors.ts';

/** Position in an owner's log. Opaque, and bound to the owner: it means nothing in another's log. */
export function encodeEventCursor(ownerId: string, number: number): string {
  return Buffer.from(`${number}.${ownerMark(ownerId)}`).toString('base64url');
}

/** @throws BadInput (BAD_CURSOR) */
export function decodeEventCursor(ownerId: string, cursor: string): number {
  const text = Buffer.from(cursor.slice(0, 100), 'base64url').toString('latin1');
  const number = Number(text.slice(0, text.indexOf('.')));
  const isNumber = Number.isSafeInteger(number) && number >= 0;
  // Base64 and numbers have several spellings; a position has one cursor.
  if (isNumber && encodeEventCursor(ownerId, number) === cursor) return number;
  throw new BadInput({
    path: ['after'],
    code: 'BAD_CURSOR',
    expected: 'a cursor of this event log',
    got: cursor,
  });
}

function ownerMark(ownerId: string): string {
  return createHash('sha256').update(`event log ${ownerId}`).digest('hex').slice(0, 12);
}
