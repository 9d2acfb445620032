import { DomainError, type ErrorCode, type ErrorDetails } from '../../errors.ts';
import type { EngineEvent, ImageRequest, Provider } from '../request.ts';

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
      readonly model: ModelPlace;
      /** Shared memory; [0] is 1 once the job is cancelled. */
      readonly canceled: Int32Array;
      /** Shared memory of a `PreviewDemand`. */
      readonly demand: Int32Array | null;
    }
  /** To have it at hand before the first job wants it. */
  | { readonly type: 'load'; readonly model: ModelPlace }
  /** The cell says it already; this wakes whoever waits. */
  | { readonly type: 'cancel'; readonly job: number }
  | { readonly type: 'close' };

/** Where a model lies, and as which it was described: another revision is loaded anew. */
export type ModelPlace = { readonly folder: string; readonly revision: string };

/** From the thread. */
export type Report =
  | {
      readonly type: 'ready';
      readonly provider: string;
      /** For example `onnxruntime-node 1.30.0`. */
      readonly runtime: string;
    }
  /** The thread cannot start, for this reason, in one sentence. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'event'; readonly job: number; readonly event: JobEvent }
  /** The last word on a job. A cancelled one ends without a fault. */
  | { readonly type: 'ended'; readonly job: number; readonly fault: Fault | null };

/** An engine event, before it is known which bytes the model was made of. */
export type JobEvent =
  | Exclude<EngineEvent, { type: 'image' }>
  | Omit<Extract<EngineEvent, { type: 'image' }>, 'provenance'>;

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
