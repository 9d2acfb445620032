import type { Event, PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import {
  decodeEventCursor,
  encodeEventCursor,
  type LogFilter,
  type LogReader,
} from '../event-log/log.ts';
import { failureOf } from '../generations/failure.ts';
import { checkWhole } from '../generations/settings.ts';
import { isFinal, stageOf } from '../generations/state.ts';
import { endable } from './endable.ts';
import type { Audience } from './fan-out.ts';
import type { ImageFrame } from './frames.ts';
import type { Live, Scope } from './live.ts';
import { readSnapshot, type Snapshot, type SnapshotRow } from './snapshot.ts';
import { createSeat, type Pending, type Seat } from './subscriber-buffer.ts';
import type { EventView, PreviewOptions, PreviewView } from './views.ts';

export type WatchOptions = {
  /** Where an earlier stream stopped; null: the state as it stands comes first. */
  readonly after: string | null;
  /** Null where nobody looks at frames: then none is made for this viewer. */
  readonly previews: PreviewOptions | null;
  /** False where nobody looks at places in the queue: then none is asked for. */
  readonly places?: boolean;
};

export type EventStream = AsyncGenerator<EventView, void, void>;

export const previewLimits = {
  /** Pixels of the longest side; the image's own size is the limit that counts. */
  maxSize: { min: 16, max: 8192 },
  everyMs: { min: 0, max: 60_000 },
} as const;

/** Events of the log that are read at once. */
const logPage = 100;

const ends: ReadonlySet<string> = new Set([
  'GenerationSucceeded',
  'GenerationFailed',
  'GenerationCanceled',
]);

/** Of what has ended, nothing is to come. */
const endOfTime = new Date(8_640_000_000_000_000);

export type WatchDeps = {
  readonly client: PrismaClient;
  readonly readLog: LogReader;
  readonly audience: Audience;
  readonly live: Live;
  /** Null unless it waits. Questions of one moment are one query. */
  readonly place: (
    generationId: string,
  ) => Promise<{ readonly position: number; readonly startAt: Date | null } | null>;
};

/**
 * The events of a scope that the viewer is known to own: listen first, then the state as it stands or the log
 * since `after`, then live. Whatever is waited for lies in the seat, which is bounded.
 * @throws BadEventCursor, OutOfRange; before the stream begins
 */
export function watch(
  deps: WatchDeps,
  viewer: Viewer,
  request: { scope: Scope; options: WatchOptions; signal: AbortSignal },
): EventStream {
  const { scope, options, signal } = request;
  const { previews, places = true } = options;
  checkPreviews(previews);
  const after = options.after === null ? null : decodeEventCursor(viewer.id, options.after);
  const seat = createSeat(previews?.everyMs ?? null);
  const stream = new Stream(deps, viewer, { scope, previews, places, seat });
  return endable((isEnded) => stream.events(after, isEnded), seat.wake, signal);
}

function checkPreviews(previews: PreviewOptions | null): void {
  if (previews === null) return;
  checkWhole(['preview', 'everyMs'], previews.everyMs, previewLimits.everyMs);
  checkWhole(['preview', 'maxSize'], previews.maxSize, previewLimits.maxSize);
}

/** One viewer's way through the log. `#read` is the number of the last event that it has had. */
class Stream {
  readonly #deps: WatchDeps;
  readonly #viewer: Viewer;
  readonly #scope: Scope;
  readonly #previews: PreviewOptions | null;
  readonly #places: boolean;
  readonly #seat: Seat;
  #read = 0;

  constructor(
    deps: WatchDeps,
    viewer: Viewer,
    seating: { scope: Scope; previews: PreviewOptions | null; places: boolean; seat: Seat },
  ) {
    this.#deps = deps;
    this.#viewer = viewer;
    this.#scope = seating.scope;
    this.#previews = seating.previews;
    this.#places = seating.places;
    this.#seat = seating.seat;
  }

  async *events(after: number | null, isEnded: () => boolean): EventStream {
    const { audience, live } = this.#deps;
    const leave = await audience.join(this.#viewer.id, this.#scope, this.#seat);
    const withdraw = this.#previews ? live.want(this.#scope, this.#previews.everyMs) : () => {};
    try {
      if (yield* this.#start(after)) return;
      while (!isEnded()) {
        if (yield* this.#stateChanges()) return;
        yield* this.#progress();
        await this.#seat.news();
      }
    } finally {
      withdraw();
      leave();
    }
  }

  /** True where nothing can follow. */
  async *#start(after: number | null): AsyncGenerator<EventView, boolean> {
    const snapshot = await this.#snapshot();
    if (after === null || after > snapshot.number) {
      return yield* this.#state(snapshot, { isReset: after !== null });
    }
    this.#read = after;
    this.#seat.logged(snapshot.number);
    return (yield* this.#stateChanges()) || this.#isOver(snapshot.rows);
  }

  /** The state as it stands. True where nothing can follow. */
  async *#state(
    { number, rows }: Snapshot,
    { isReset }: { isReset: boolean },
  ): AsyncGenerator<EventView, boolean> {
    this.#read = number;
    const states = await Promise.all(rows.map((row) => this.#stateOf(row)));
    if (isReset) yield { type: 'EventsReset', cursor: this.#cursor, at: new Date() };
    for (const state of states) yield this.#stamp(state);
    return this.#isOver(rows);
  }

  /**
   * Everything in the log that was not read yet; the state as it stands where some of that was cleared away.
   * True after the final event of a generation's stream.
   */
  async *#stateChanges(): AsyncGenerator<EventView, boolean> {
    const { readLog } = this.#deps;
    while (this.#read < this.#seat.heard) {
      // Numbers are committed in order: all up to the one heard of are there to be read.
      const stretch = { after: this.#read, upTo: this.#seat.heard };
      const page = await readLog(this.#viewer.id, { ...stretch, ...this.#part });
      if (page === null) return yield* this.#state(await this.#snapshot(), { isReset: true });
      const views = await Promise.all(page.events.map((event) => this.#viewOf(event)));
      for (const [i, event] of page.events.entries()) {
        this.#read = Number(event.number);
        if (event.generationId !== null && ends.has(event.type)) {
          this.#seat.forget(event.generationId, endOfTime);
        } else if (event.generationId !== null && event.type === 'GenerationQueued') {
          this.#seat.forget(event.generationId, event.createdAt);
        }
        const view = views[i] ?? null;
        if (view !== null) yield view;
        if (this.#scope.type === 'generation' && ends.has(event.type)) return true;
      }
      this.#read = page.readTo;
    }
    return false;
  }

  async *#progress(): AsyncGenerator<EventView, void> {
    for (const pending of this.#seat.take()) yield this.#stamp(await this.#progressOf(pending));
  }

  #isOver(rows: readonly SnapshotRow[]): boolean {
    return this.#scope.type === 'generation' && rows.every((row) => isFinal(row.status));
  }

  #snapshot(): Promise<Snapshot> {
    return readSnapshot(this.#deps.client, this.#viewer.id, this.#scope);
  }

  get #part(): { filter: LogFilter; limit: number } {
    return { filter: filterOf(this.#scope), limit: logPage };
  }

  get #cursor(): string {
    return encodeEventCursor(this.#viewer.id, this.#read);
  }

  #stamp<View extends object>(view: View): View & { cursor: string } {
    return { ...view, cursor: this.#cursor };
  }

  async #stateOf(row: SnapshotRow) {
    const { live } = this.#deps;
    const base = { generationId: row.id, at: new Date() };
    switch (row.status) {
      case 'QUEUED':
        return { ...base, ...(await this.#queued(row.id)) };
      case 'RUNNING': {
        const progress = live.progress(row.id);
        return {
          ...base,
          type: 'GenerationProgress' as const,
          stage: progress?.stage ?? stageOf(row.stage),
          step: progress?.finishedSteps ?? row.readyImages * row.steps,
          steps: row.count * row.steps,
          estimatedFinishAt: progress?.estimatedFinishAt ?? null,
          previews: await this.#encode(live.latestFrames(row.id)),
        };
      }
      case 'SUCCEEDED':
        return { ...base, type: 'GenerationSucceeded' as const };
      case 'CANCELED':
        return { ...base, type: 'GenerationCanceled' as const };
      case 'FAILED':
        return { ...base, type: 'GenerationFailed' as const, failure: failureOf(row)! };
    }
  }

  async #progressOf({ progress, frames }: Pending) {
    const { generationId, at, stage, finishedSteps, totalSteps, estimatedFinishAt } = progress;
    return {
      type: 'GenerationProgress' as const,
      generationId,
      at: new Date(at),
      stage: stageOf(stage),
      step: finishedSteps,
      steps: totalSteps,
      estimatedFinishAt: estimatedFinishAt === null ? null : new Date(estimatedFinishAt),
      previews: await this.#encode(frames),
    };
  }

  /** Null for events of types that this program does not know: a newer one may have written them. */
  async #viewOf(event: Event): Promise<EventView | null> {
    if (event.generationId === null) return null;
    const cursor = encodeEventCursor(this.#viewer.id, Number(event.number));
    const base = { cursor, at: event.createdAt, generationId: event.generationId };
    switch (event.type) {
      case 'GenerationQueued':
        return { ...base, ...(await this.#queued(event.generationId)) };
      case 'GenerationStarted':
      case 'GenerationSucceeded':
      case 'GenerationCanceled':
        return { ...base, type: event.type };
      case 'GenerationImageReady':
        return event.assetId === null
          ? null
          : { ...base, type: event.type, assetId: event.assetId };
      case 'GenerationFailed':
        return { ...base, type: event.type, failure: failureOf(failed(event.payload))! };
      default:
        return null;
    }
  }

  async #queued(generationId: string) {
    const place = this.#places ? await this.#deps.place(generationId) : null;
    return {
      type: 'GenerationQueued' as const,
      position: place?.position ?? 0,
      estimatedStartAt: place?.startAt ?? null,
    };
  }

  #encode(images: readonly ImageFrame[]): Promise<PreviewView[]> {
    const options = this.#previews;
    if (options === null) return Promise.resolve([]);
    return Promise.all(images.map((image) => this.#deps.live.frames.encode(image, options)));
  }
}

/** The event keeps what the row said then. */
function failed(payload: Event['payload']) {
  const { code, message } = Object(payload);
  return {
    status: 'FAILED' as const,
    failureCode: typeof code === 'string' ? code : null,
    failureMessage: typeof message === 'string' ? message : null,
  };
}

function filterOf({ type, id }: Scope): LogFilter {
  switch (type) {
    case 'generation':
      return { generationId: id };
    case 'project':
      return { projectId: id };
    case 'owner':
      return {};
  }
}
