import { DomainError } from '../../errors.ts';

/** A thread of the engine is gone, through no fault of the request: it may succeed in a moment. */
export class EngineLost extends DomainError {
  readonly retryable = true;
  constructor(reason: string, options?: ErrorOptions) {
    super(
      'ENGINE_FAILED',
      `Expected the engine to finish, but it was lost: ${reason}`,
      {},
      options,
    );
  }
}
