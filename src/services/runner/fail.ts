import { DomainError, type ErrorCode } from '../../errors.ts';
import type { Generation } from '../../generated/prisma/client.ts';
import type { ChangeDeps } from '../event-log/change.ts';
import { changeStatus, released } from '../generations/transition.ts';

export type Cause = { readonly code: ErrorCode; readonly message: string };

/**
 * RUNNING to FAILED; null where it has ended or another runner has it by now. `leaseUntil`: only where nobody has
 * renewed this lease since.
 */
export function fail(
  deps: ChangeDeps,
  row: Pick<Generation, 'id' | 'runnerId'>,
  {
    code,
    message,
    finishedSteps,
    leaseUntil,
  }: Cause & { readonly finishedSteps?: number; readonly leaseUntil?: Date | null },
): Promise<Generation | null> {
  return changeStatus(deps, {
    id: row.id,
    from: { status: 'RUNNING', runnerId: row.runnerId, leaseUntil },
    to: {
      status: 'FAILED',
      finishedAt: new Date(),
      failureCode: code,
      failureMessage: message,
      ...(finishedSteps === undefined ? {} : { finishedSteps }),
      ...released,
    },
    event: 'GenerationFailed',
    payload: { code, message },
  });
}

/** What the owner of the generation is told. The words of a defect are for the log alone. */
export function causeOf(error: unknown): Cause {
  if (error instanceof DomainError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong while it ran' };
}

/** Whether another attempt may succeed: after the loss of an engine, and after a defect, whose cause is unknown. */
export function isWorthAnotherAttempt(error: unknown): boolean {
  if (!(error instanceof DomainError)) return true;
  return error.code === 'ENGINE_FAILED' && 'retryable' in error && error.retryable === true;
}
