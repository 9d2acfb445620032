import type { Response } from 'express';
import { DomainError } from '../errors.ts';

/** Bounds how many requests of one kind each user has open. `what`: for the message, for example `event streams`. */
export function createOpenPerUser(max: number, what: string) {
  const open = new Map<string, number>();
  return {
    /** Until the response is closed. @throws DomainError RATE_LIMITED */
    enter(userId: string, response: Response): void {
      const got = open.get(userId) ?? 0;
      if (got >= max) throw tooMany();
      open.set(userId, got + 1);
      response.once('close', () => {
        const left = (open.get(userId) ?? 1) - 1;
        if (left > 0) open.set(userId, left);
        else open.delete(userId);
      });
    },
  };

  function tooMany(): DomainError {
    const text = `Expected at most ${max} open ${what} of one user`;
    return new DomainError('RATE_LIMITED', text, { max, retryAfter: 5 });
  }
}
