import type { ErrorCode } from '../../errors.ts';
import type { Stage } from '../../inference/request.ts';

export type PreviewFormat = 'WEBP' | 'JPEG';

/** What a viewer wants of the frames. */
export type PreviewOptions = {
  readonly format: PreviewFormat;
  /** Longest side in pixels; null: the frame's own size. */
  readonly maxSize: number | null;
  /** At most one frame of an image per this many milliseconds. */
  readonly everyMs: number;
};

/** A frame of image `index` after `step` steps, as a viewer gets it. */
export type PreviewView = {
  readonly index: number;
  readonly step: number;
  readonly width: number;
  readonly height: number;
  readonly dataUrl: string;
};

export type FailureView = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
};

type Base<Type extends string> = {
  /** Name of the GraphQL type. */
  readonly type: Type;
  /** Position of the owner's log after this event. */
  readonly cursor: string;
  readonly at: Date;
};
type OfGeneration<Type extends string> = Base<Type> & {
  /** Row ids: the row is read at delivery, so it is never older than the event. */
  readonly generationId: string;
};

export type QueuedView = OfGeneration<'GenerationQueued'> & {
  /** 1 is next; 0 where it no longer waits, or nobody looks. */
  readonly position: number;
  readonly estimatedStartAt: Date | null;
};
export type ProgressView = OfGeneration<'GenerationProgress'> & {
  readonly stage: Stage;
  /** Steps finished, and to do, in all images of the generation. */
  readonly step: number;
  readonly steps: number;
  readonly estimatedFinishAt: Date | null;
  /** Frames that are new for this viewer. */
  readonly previews: readonly PreviewView[];
};
export type ImageReadyView = OfGeneration<'GenerationImageReady'> & { readonly assetId: string };
export type FailedView = OfGeneration<'GenerationFailed'> & { readonly failure: FailureView };

/** An event as its viewer gets it. The resolvers add the rows that it names. */
export type EventView =
  | QueuedView
  | OfGeneration<'GenerationStarted'>
  | ProgressView
  | ImageReadyView
  | OfGeneration<'GenerationSucceeded'>
  | FailedView
  | OfGeneration<'GenerationCanceled'>
  | Base<'EventsReset'>;
