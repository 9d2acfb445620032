import { outlast } from '../../database/outlast.ts';
import type { Scope } from '../../events/events.ts';
import type { Event, PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { encodeEventCursor, readEventCursor } from '../event-log/cursor.ts';
import type { LogFilter, LogReader } from '../event-log/log.ts';
import { isFinal } from '../generations/status.ts';
import { endable } from './endable.ts';
import type { FanOut } from './fan-out.ts';
import type { PreviewOptions } from './frames.ts';
import type { PreviewRequests } from './preview-requests.ts';
import type { SharedReads } from './shared-reads.ts';
import { readSnapshot, type Snapshot, type SnapshotRow } from './snapshot.ts';
import { createSubscriberBuffer, type SubscriberBuffer } from './subscriber-buffer.ts';
import {
  createViews,
  type EventBody,
  type EventView,
  type Selected,
  type ViewDeps,
  type Views,
} from './views.ts';

export type WatchOptions = Selected & {
  /** Options that are checked also where no previews are selected; left out, those of `previews`. */
  readonly asked?: PreviewOptions;
  /** Where an earlier stream stopped; null: the state as it stands comes first. */
  readonly after: string | null;
};

export type EventStream = AsyncGenerator<EventView, void, void>;

export type WatchDeps = ViewDeps & {
  readonly client: PrismaClient;
  readonly readLog: LogReader;
  readonly snapshots: SharedReads<Snapshot>;
  readonly fanOut: FanOut;
  readonly previewRequests: PreviewRequests;
};

/** Events of the log that are read at once. */
const logPage = 100;

const finalTypes: ReadonlySet<string> = new Set([
  'GenerationSucceeded',
  'GenerationFailed',
  'GenerationCanceled',
]);

/** Nothing follows what has ended. */
const endOfTime = new Date(8_640_000_000_000_000);

/**
 * The events of a scope that the viewer is known to own: listen first, then the state as it stands or the log
 * since `after`, which was checked, then live. What the viewer has not read yet lies in the buffer, which is bounded.
 */
export function watch(
  deps: WatchDeps,
  viewer: Viewer,
  request: { scope: Scope; options: WatchOptions; signal: AbortSignal },
): EventStream {
  const { scope, options, signal } = request;
  const after = options.after === null ? null : readEventCursor(viewer.id, options.after);
  const buffer = createSubscriberBuffer(options.previews?.everyMs ?? null);
  const stream = new Stream(deps, viewer, { scope, options, buffer });
  const end = () => {
    stream.ending.abort();
    buffer.wake();
  };
  return endable((isEnded) => stream.events(after, isEnded), end, signal);
}

/** The order of one viewer's events. `#read` is the number of the last event of the log that was sent. */
class Stream {
  readonly #deps: WatchDeps;
  readonly #viewer: Viewer;
  readonly #scope: Scope;
  readonly #options: WatchOptions;
  readonly #buffer: SubscriberBuffer;
  readonly #views: Views;
  /** Aborted when the stream has ended. */
  readonly ending = new AbortController();
  #read = 0;

  constructor(
    deps: WatchDeps,
    viewer: Viewer,
    { scope, options, buffer }: { scope: Scope; options: WatchOptions; buffer: SubscriberBuffer },
  ) {
    this.#deps = deps;
    this.#viewer = viewer;
    this.#scope = scope;
    this.#options = options;
    this.#buffer = buffer;
    this.#views = createViews(deps, options);
  }

  async *events(after: number | null, isEnded: () => boolean): EventStream {
    const { fanOut, previewRequests } = this.#deps;
    const { previews } = this.#options;
    const leave = await fanOut.join(this.#viewer.id, this.#scope, this.#buffer);
    const withdraw = previews ? previewRequests.want(this.#scope, previews.everyMs) : () => {};
    try {
      if (yield* this.#start(after)) return;
      while (!isEnded()) {
        if (yield* this.#stateChanges()) return;
        yield* this.#progress();
        await this.#buffer.news();
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
    this.#buffer.logged(snapshot.number);
    return (yield* this.#stateChanges()) || this.#isOver(snapshot.rows);
  }

  /** The state as it stands. True where nothing can follow. */
  async *#state(
    { number, rows }: Snapshot,
    { isReset }: { isReset: boolean },
  ): AsyncGenerator<EventView, boolean> {
    this.#read = number;
    const states = await Promise.all(rows.map((row) => this.#views.ofRow(row)));
    if (isReset) yield { type: 'EventsReset', cursor: this.#cursor, at: new Date() };
    for (const state of states) {
      if (state.type === 'GenerationProgress' && state.previews.length > 0) {
        const indices = state.previews.map(({ index }) => index);
        this.#buffer.shown(state.generationId, indices);
      }
      yield this.#stamp(state);
    }
    return this.#isOver(rows);
  }

  /**
   * Everything in the log that was not read yet; the state as it stands where some of that was deleted. True after
   * the final event of a generation's stream.
   */
  async *#stateChanges(): AsyncGenerator<EventView, boolean> {
    const { readLog } = this.#deps;
    const part = { filter: filterOf(this.#scope), limit: logPage };
    while (this.#read < this.#buffer.latest) {
      // Numbers are committed in order: all up to the latest are there to be read.
      const stretch = { after: this.#read, upTo: this.#buffer.latest, ...part };
      // What has happened is in the log: a viewer need not know that it could not be read for a while.
      const page = await this.#outlast(() => readLog(this.#viewer.id, stretch));
      if (page === null) {
        const snapshot = await this.#outlast(() => this.#snapshot());
        return yield* this.#state(snapshot, { isReset: true });
      }
      const bodies = await Promise.all(
        page.events.map((event) => this.#outlast(() => this.#views.ofEvent(event))),
      );
      for (const [i, event] of page.events.entries()) {
        this.#read = Number(event.number);
        this.#forgetProgress(event);
        const body = bodies[i];
        if (body) yield this.#stamp(body);
        if (this.#scope.type === 'generation' && finalTypes.has(event.type)) return true;
      }
      this.#read = page.readTo;
    }
    return false;
  }

  /** Progress of a run that has ended is not sent after the event that says so. */
  #forgetProgress({ generationId, type, createdAt }: Event): void {
    if (generationId === null) return;
    if (finalTypes.has(type)) this.#buffer.forget(generationId, endOfTime);
    if (type === 'GenerationQueued') this.#buffer.forget(generationId, createdAt);
  }

  async *#progress(): AsyncGenerator<EventView, void> {
    for (const pending of this.#buffer.take()) {
      yield this.#stamp(await this.#views.ofPending(pending));
    }
  }

  #outlast<Result>(read: () => Promise<Result>): Promise<Result> {
    return outlast(read, this.ending.signal);
  }

  #isOver(rows: readonly SnapshotRow[]): boolean {
    return this.#scope.type === 'generation' && rows.every((row) => isFinal(row.status));
  }

  #snapshot(): Promise<Snapshot> {
    const { client, snapshots } = this.#deps;
    const { type, id } = this.#scope;
    const key = `${this.#viewer.id} ${type} ${id}`;
    return snapshots(key, () => readSnapshot(client, this.#viewer.id, this.#scope));
  }

  get #cursor(): string {
    return encodeEventCursor(this.#viewer.id, this.#read);
  }

  #stamp(body: EventBody): EventView {
    return { ...body, cursor: this.#cursor } as EventView;
  }
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
