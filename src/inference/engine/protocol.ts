import { DomainError, type ErrorCode, type ErrorDetails } from '../../errors.ts';
import type { JobEvent } from '../pipelines/job-event.ts';
import type { ModelRef } from '../pipelines/model-loader.ts';
import type { ImageRequest, Provider } from '../request.ts';

/** What the thread is started with (`workerData`). */
export type ThreadOptions = {
  readonly provider: Provider;
  /** Threads that one run computes on; 0 for as many as there are cores. */
  readonly threads: number;
  /** Models that stay loaded, in use or not. */
  readonly maxModels: number;
};

/** To the thread. */
export type Command =
  | {
      readonly type: 'generate';
      readonly job: number;
      readonly request: ImageRequest;
      readonly model: ModelRef;
      /** Shared memory; [0] is 1 once the job is cancelled. */
      readonly canceled: Int32Array;
      /** Shared memory of a `PreviewDemand`. */
      readonly demand: Int32Array | null;
    }
  /** Loaded before the first job needs it. */
  | { readonly type: 'load'; readonly model: ModelRef }
  /** Shared memory already marks the job; this message makes waiting jobs look at it. */
  | { readonly type: 'cancel'; readonly job: number }
  | { readonly type: 'close' };

/** From the thread. */
export type Report =
  | {
      readonly type: 'ready';
      readonly provider: string;
      /** For example `onnxruntime-node 1.30.0`. */
      readonly runtime: string;
      /** That networks are computed in. */
      readonly precision: string;
    }
  /** The thread cannot start, for this reason, in one sentence. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'event'; readonly job: number; readonly event: JobEvent }
  /** The last report on a job. A cancelled one ends without a fault. */
  | { readonly type: 'ended'; readonly job: number; readonly fault: Fault | null };

/** An error on its way between threads. */
export type Fault = {
  readonly name: string;
  /** Null for a defect. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly stack: string;
};

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return faultOf(new Error(String(error)));
  return {
    name: error.name,
    code: error instanceof DomainError ? error.code : null,
    message: error.message,
    details: error instanceof DomainError ? error.details : {},
    stack: error.stack ?? '',
  };
}

/** The error again: a `DomainError` of the same name and code, or a plain one for a defect. */
export function errorOf(fault: Fault): Error {
  const error =
    fault.code === null
      ? new Error(fault.message)
      : new DomainError(fault.code, fault.message, fault.details);
  error.name = fault.name;
  error.stack = fault.stack;
  return error;
}
