import type { Events } from '../../events/events.ts';
import type {
  Generation,
  GenerationKind,
  GenerationStatus,
  PrismaClient,
} from '../../generated/prisma/client.ts';
import type { ModelDescription, Stage } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import type { Connection, Order, PageArgs } from '../library/pagination.ts';
import type {
  EventView,
  FailureView,
  PreviewFormat,
  PreviewOptions,
  PreviewView,
} from './event-view.ts';
import type { Live } from './live.ts';
import type { SettingsInput } from './settings.ts';

export type GenerateInput = {
  readonly settings: SettingsInput;
  /** Global id; the viewer's default project where left out. */
  readonly projectId?: string | null;
  readonly idempotencyKey?: string | null;
  readonly clientReference?: string | null;
  readonly waitSeconds?: number | null;
  readonly priority?: Priority | null;
};
export const priorities = ['LOW', 'NORMAL', 'HIGH'] as const;
export type Priority = (typeof priorities)[number];

export type GenerationFilter = {
  readonly status?: readonly GenerationStatus[] | null;
  readonly kind?: readonly GenerationKind[] | null;
  readonly model?: string | null;
  readonly search?: string | null;
  readonly seed?: number | null;
  readonly clientReference?: string | null;
  readonly createdAfter?: Date | null;
  readonly createdBefore?: Date | null;
  readonly trashed?: boolean | null;
};
export type GenerationOrder = Order<'createdAt'>;

export type GenerationsOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly live: Live;
  /** As the engine found them; read at each request. */
  readonly models: () => readonly ModelDescription[];
  readonly defaultModel: string;
  /** Generations of one user that may wait at once. */
  readonly maxQueued: number;
  /** Requests of all users that may wait for their end at once. */
  readonly maxOpenWaits: number;
};

/** `step` of `steps` in all images; `stage` null unless it runs. */
export type ProgressNow = {
  readonly step: number;
  readonly steps: number;
  readonly stage: Stage | null;
};
export type WatchOptions = {
  readonly after: string | null;
  readonly previews: PreviewOptions | null;
};
export type EventStream = AsyncGenerator<EventView, void, void>;

/** Ids that a client names are global ids; ids in rows and events are the rows' own. */
export type Generations = {
  /** Queues; with `waitSeconds` answers when it has ended, the time is up, or `signal` aborts. */
  request(
    viewer: Viewer,
    input: GenerateInput,
    signal: AbortSignal,
  ): Promise<{ generation: Generation; replayed: boolean }>;
  find(viewer: Viewer, globalId: string): Promise<Generation | null>;
  /** `projectId`: a global id, or null for all that is the viewer's. */
  page(
    viewer: Viewer,
    list: {
      projectId: string | null;
      filter: GenerationFilter;
      order: GenerationOrder;
      args: PageArgs;
    },
  ): Promise<Connection<Generation>>;
  /** In the order of the row ids, null where there is none or it is not the viewer's: for a DataLoader. */
  byRowIds(viewer: Viewer, rowIds: readonly string[]): Promise<(Generation | null)[]>;
  cancel(
    viewer: Viewer,
    globalId: string,
  ): Promise<{ generation: Generation; alreadyFinished: boolean }>;
  queuePosition(generation: Generation): Promise<number | null>;
  /** Steps finished over steps to do, 0 to 1. */
  progress(generation: Generation): Promise<number>;
  estimatedFinishAt(generation: Generation): Promise<Date | null>;
  failureOf(generation: Generation): FailureView | null;
  latestPreviews(
    viewer: Viewer,
    generation: Generation,
    options: { format: PreviewFormat; maxSize: number | null },
  ): Promise<PreviewView[]>;
  queue(): Promise<{ waiting: number; running: number }>;
  /** The row, when it has ended, after `seconds`, or when `signal` aborts. */
  waitFor(
    viewer: Viewer,
    globalId: string,
    seconds: number,
    signal: AbortSignal,
  ): Promise<Generation>;
  /** Rejects before anything is sent: NOT_FOUND, BAD_CURSOR. Leaving the iteration ends all it held. */
  watchGeneration(
    viewer: Viewer,
    globalId: string,
    options: WatchOptions,
    signal: AbortSignal,
  ): Promise<EventStream>;
  watchProject(
    viewer: Viewer,
    globalId: string,
    options: WatchOptions,
    signal: AbortSignal,
  ): Promise<EventStream>;
  watchViewer(viewer: Viewer, options: WatchOptions, signal: AbortSignal): Promise<EventStream>;
};

export function createGenerations(options: GenerationsOptions): Generations {
  throw new Error(`Unfinished: ${Object.keys(options).join()}`);
}
