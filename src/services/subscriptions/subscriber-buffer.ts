import type { ProgressMessage } from '../../events/events.ts';
import type { Listener } from './fan-out.ts';
import type { ImagePreview } from './frames.ts';

/** The newest progress of a generation, and the newest frame of each of its images. */
export type Pending = { readonly progress: ProgressMessage; readonly frames: ImagePreview[] };

/**
 * Two frames of a viewer that asked for one every 250 ms are made 250 ms apart by the clock of the engine, and
 * may be a little closer by ours.
 */
const jitterMs = 5;

/**
 * What one subscriber has not read yet. State changes wait in the log, and here is how far it goes; of progress and
 * frames the newest wins. So it holds as much after a thousand steps as after one.
 */
export type SubscriberBuffer = Listener & {
  /** Number of the last state change that was received. */
  readonly latest: number;
  /** Everything new, oldest generation first; frames that come too soon for this viewer stay. */
  take(): Pending[];
  /** Frames of these images were just sent with the state as it stood. */
  shown(generationId: string, indices: readonly number[]): void;
  /** Drops what a run did up to `until`: the generation does not run any more. */
  forget(generationId: string, until: Date): void;
  /** Resolves when there is something new, or when it is woken. */
  news(): Promise<void>;
  wake(): void;
};

/** `everyMs` null: no frames. */
export function createSubscriberBuffer(everyMs: number | null): SubscriberBuffer {
  let latest = 0;
  let isAwake = false;
  let wakeSleeper = () => {};
  const progress = new Map<string, ProgressMessage>();
  const frames = new Map<string, Map<number, ImagePreview & { at: number }>>();
  const shownAt = new Map<string, Map<number, number>>();

  const wake = () => {
    isAwake = true;
    wakeSleeper();
  };
  const takeFrames = (generationId: string): ImagePreview[] => {
    const waiting = frames.get(generationId);
    if (waiting === undefined || everyMs === null) return [];
    const shown = shownAt.get(generationId) ?? new Map<number, number>();
    shownAt.set(generationId, shown);
    const due = [...waiting.values()].filter(({ index, at }) => {
      return at - (shown.get(index) ?? Number.NEGATIVE_INFINITY) >= everyMs - jitterMs;
    });
    for (const { index, at } of due) {
      shown.set(index, at);
      waiting.delete(index);
    }
    return due.map(({ index, step, frame, imageSide }) => ({ index, step, frame, imageSide }));
  };
  return {
    get latest() {
      return latest;
    },
    logged(number) {
      latest = Math.max(latest, number);
      wake();
    },
    progress(message) {
      progress.set(message.generationId, message);
      wake();
    },
    /** Read together with the progress that follows it. */
    frame({ generationId, index, step, frame, imageSide, at }) {
      if (everyMs === null) return;
      const waiting = frames.get(generationId) ?? new Map();
      frames.set(generationId, waiting.set(index, { index, step, frame, imageSide, at }));
    },
    take() {
      const taken = [...progress.values()];
      progress.clear();
      return taken.map((message) => ({
        progress: message,
        frames: takeFrames(message.generationId),
      }));
    },
    shown(generationId, indices) {
      const now = Date.now();
      const times = shownAt.get(generationId) ?? new Map<number, number>();
      for (const index of indices) times.set(index, now);
      shownAt.set(generationId, times);
    },
    forget(generationId, until) {
      // A viewer that was away may read of an earlier run while a later one has moved on.
      if ((progress.get(generationId)?.at ?? 0) > until.getTime()) return;
      progress.delete(generationId);
      frames.delete(generationId);
      shownAt.delete(generationId);
    },
    async news() {
      if (!isAwake) {
        await new Promise<void>((resolve) => {
          wakeSleeper = resolve;
        });
      }
      isAwake = false;
    },
    wake,
  };
}
