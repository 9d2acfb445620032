import { DomainError, type ErrorCode } from '../../errors.ts';
import type { Events } from '../../events/events.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import { changeStatus, released } from '../generations/transition.ts';

export type Cause = { readonly code: ErrorCode; readonly message: string };

/** FAILED, unless it has ended or gone to another runner by now: then null. */
export function fail(
  deps: { client: PrismaClient; events: Events },
  row: Pick<Generation, 'id' | 'runnerId'>,
  { code, message }: Cause,
): Promise<Generation | null> {
  return changeStatus(deps, {
    id: row.id,
    from: { status: 'RUNNING', runnerId: row.runnerId },
    to: {
      status: 'FAILED',
      finishedAt: new Date(),
      failureCode: code,
      failureMessage: message,
      ...released,
    },
    event: 'GenerationFailed',
    payload: { code, message },
  });
}

/** What its owner is told. A defect of ours is masked: its words are for the log. */
export function causeOf(error: unknown): Cause {
  if (error instanceof DomainError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong while it ran' };
}

/** May another attempt go well? A lost engine says so; of a defect we cannot know. */
export function isWorthAnotherAttempt(error: unknown): boolean {
  if (!(error instanceof DomainError)) return true;
  return error.code === 'ENGINE_FAILED' && 'retryable' in error && error.retryable === true;
}
