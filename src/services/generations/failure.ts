import { type ErrorCode, errorCodes } from '../../errors.ts';
import type { Generation } from '../../generated/prisma/client.ts';

/** Why a generation has FAILED. */
export type FailureView = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
};

/** The same request may succeed at another time. */
const retryable: ReadonlySet<ErrorCode> = new Set([
  'ENGINE_FAILED',
  'INTERNAL_SERVER_ERROR',
  'MODEL_UNAVAILABLE',
  'QUOTA_EXCEEDED',
  'TIMED_OUT',
]);

/** Null unless it has FAILED. */
export function failureOf(
  row: Pick<Generation, 'status' | 'failureCode' | 'failureMessage'>,
): FailureView | null {
  if (row.status !== 'FAILED') return null;
  const code = errorCodes.find((known) => known === row.failureCode) ?? 'INTERNAL_SERVER_ERROR';
  return { code, message: row.failureMessage ?? '', retryable: retryable.has(code) };
}
