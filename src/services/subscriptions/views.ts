import type { Event } from '../../generated/prisma/client.ts';
import type { Stage } from '../../inference/request.ts';
import type { LoggedType } from '../event-log/log.ts';
import type { Estimate } from '../generations/estimate.ts';
import { type FailureView, failureOf } from '../generations/failure.ts';
import { stageOf } from '../generations/status.ts';
import type { FrameEncoder, ImagePreview, PreviewOptions, PreviewView } from './frames.ts';
import type { Live } from './live.ts';
import type { SnapshotRow } from './snapshot.ts';
import type { States } from './state.ts';
import type { Pending } from './subscriber-buffer.ts';

type Base<Type extends string> = {
  /** Name of the GraphQL type. */
  readonly type: Type;
  /** Position of the owner's log after this event. */
  readonly cursor: string;
  readonly at: Date;
};
type OfGeneration<Type extends string> = Base<Type> & {
  /** Row id: the row is read at delivery, so it is never older than the event. */
  readonly generationId: string;
};

export type QueuedView = OfGeneration<'GenerationQueued'> & {
  /** 1 is next; 0 where it no longer waits, or the field is not selected. */
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
/** Row ids, also of those that are deleted by now. */
export type AssetsView = Base<'AssetsChanged' | 'AssetsDeleted'> & {
  readonly assetIds: readonly string[];
};
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
  | AssetsView
  | Base<'EventsReset'>;

/** What one viewer selects of the events. */
export type Selected = {
  /** Null where frames are not selected: then none is made for this viewer. */
  readonly previews: PreviewOptions | null;
  /** False where positions in the queue are not selected: then none is asked for. */
  readonly positions: boolean;
};

export type ViewDeps = {
  readonly live: Live;
  readonly states: States;
  readonly estimate: Estimate;
  readonly frames: FrameEncoder;
};

/** An event without its place in the log, which `watch` knows. */
export type EventBody<View = EventView> = View extends unknown ? Omit<View, 'cursor'> : never;

/** What events say: made of log entries, of rows as they stand, and of progress that was received. */
export type Views = {
  /** Null for types that this program does not know: a newer one may have written them. */
  ofEvent(event: Event): Promise<EventBody | null>;
  ofRow(row: SnapshotRow): Promise<EventBody>;
  ofPending(pending: Pending): Promise<EventBody>;
};

export function createViews(deps: ViewDeps, { previews, positions }: Selected): Views {
  const { live, states, estimate, frames } = deps;
  const encode = (images: readonly ImagePreview[]) =>
    previews === null
      ? Promise.resolve([])
      : Promise.all(images.map((image) => frames.encode(image, previews)));

  const queued: Queued = async (generationId) => {
    const waiting = positions ? await states.waiting(generationId) : null;
    return {
      type: 'GenerationQueued' as const,
      position: waiting?.position ?? 0,
      estimatedStartAt: waiting?.startAt ?? null,
    };
  };

  return {
    async ofEvent(event) {
      const { generationId, createdAt: at } = event;
      const body = isLogged(event.type) ? await logged[event.type](event, queued) : null;
      const subject = generationId === null ? {} : { generationId };
      return body && ({ ...body, ...subject, at } as EventBody);
    },
    async ofRow(row) {
      const base = { generationId: row.id, at: new Date() };
      switch (row.status) {
        case 'QUEUED':
          return { ...base, ...(await queued(row.id)) };
        case 'RUNNING': {
          const progress = live.progress(row.id);
          return {
            ...base,
            type: 'GenerationProgress',
            stage: progress?.stage ?? stageOf(row.stage),
            step: Math.max(row.finishedSteps, progress?.finishedSteps ?? 0),
            steps: row.count * row.steps,
            estimatedFinishAt: progress?.estimatedFinishAt ?? null,
            previews: await encode(live.latestFrames(row.id)),
          };
        }
        case 'SUCCEEDED':
          return { ...base, type: 'GenerationSucceeded' };
        case 'CANCELED':
          return { ...base, type: 'GenerationCanceled' };
        case 'FAILED':
          return { ...base, type: 'GenerationFailed', failure: failureOf(row)! };
      }
    },
    async ofPending({ progress, frames: images }) {
      const { generationId, at, stage, finishedSteps, totalSteps, stepsLeft } = progress;
      const leftMs = estimate.left(progress, stepsLeft);
      return {
        type: 'GenerationProgress',
        generationId,
        at: new Date(at),
        stage: stageOf(stage),
        step: finishedSteps,
        steps: totalSteps,
        estimatedFinishAt: leftMs === null ? null : new Date(at + leftMs),
        previews: await encode(images),
      };
    },
  };
}

type Queued = (generationId: string) => Promise<{
  type: 'GenerationQueued';
  position: number;
  estimatedStartAt: Date | null;
}>;
type LoggedView = (event: Event, queued: Queued) => LoggedBody | null | Promise<LoggedBody | null>;
type LoggedBody = { readonly type: LoggedType } & Readonly<Record<string, unknown>>;

/** For each type of the log: what it says beside its generation and time. Null where the entry is not whole. */
const logged = {
  GenerationQueued: ({ generationId }, queued) =>
    generationId === null ? null : queued(generationId),
  GenerationStarted: ofGeneration('GenerationStarted'),
  GenerationImageReady: ({ assetId }) =>
    assetId === null ? null : { type: 'GenerationImageReady', assetId },
  GenerationSucceeded: ofGeneration('GenerationSucceeded'),
  GenerationFailed: ({ payload }) => ({
    type: 'GenerationFailed',
    failure: failureOf(failedRow(payload)),
  }),
  GenerationCanceled: ofGeneration('GenerationCanceled'),
  AssetsChanged: ofAssets('AssetsChanged'),
  AssetsDeleted: ofAssets('AssetsDeleted'),
} satisfies Record<LoggedType, LoggedView>;

/** Of an event that says nothing but its generation. */
function ofGeneration(type: LoggedType): LoggedView {
  return ({ generationId }) => (generationId === null ? null : { type });
}

/** Of an event that says which assets. */
function ofAssets(type: 'AssetsChanged' | 'AssetsDeleted'): LoggedView {
  return ({ payload }) => {
    const { assetIds } = Object(payload);
    return Array.isArray(assetIds) ? { type, assetIds: assetIds.map(String) } : null;
  };
}

function isLogged(type: string): type is LoggedType {
  return Object.hasOwn(logged, type);
}

/** The event keeps what the row said then. */
function failedRow(payload: Event['payload']) {
  const { code, message } = Object(payload);
  return {
    status: 'FAILED' as const,
    failureCode: typeof code === 'string' ? code : null,
    failureMessage: typeof message === 'string' ? message : null,
  };
}
