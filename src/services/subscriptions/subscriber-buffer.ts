import type { Listener } from './fan-out.ts';
import type { ImageFrame } from './frames.ts';
import type { ProgressMessage } from './live.ts';

/** The newest progress of a generation, and the newest frame of each of its images. */
export type Pending = { readonly progress: ProgressMessage; readonly frames: ImageFrame[] };

/**
 * Of a viewer that asks for a frame every 250 ms, the engine makes one every 250 ms, measured by its own
 * clock: by ours two of them may be a little closer.
 */
const jitterMs = 5;

/**
 * What waits for one viewer. State changes wait in the log, here is only how far it goes; of progress and
 * frames the newest wins. So it holds as much after a thousand steps as after one, read or not.
 */
export type Seat = Listener & {
  /** Number of the last state change that was heard of. */
  readonly heard: number;
  /** Everything new, oldest generation first; frames that come too soon for this viewer stay. */
  take(): Pending[];
  /** The generation does not run any more: what it did up to `until` is not told now. */
  forget(generationId: string, until: Date): void;
  /** Resolves when there is something new, or when it is woken. */
  news(): Promise<void>;
  wake(): void;
};

/** `everyMs` null: no frames. */
export function createSeat(everyMs: number | null): Seat {
  let heard = 0;
  let isAwake = false;
  let wakeSleeper = () => {};
  const progress = new Map<string, ProgressMessage>();
  const frames = new Map<string, Map<number, ImageFrame & { at: number }>>();
  const shownAt = new Map<string, Map<number, number>>();

  const wake = () => {
    isAwake = true;
    wakeSleeper();
  };
  const takeFrames = (generationId: string): ImageFrame[] => {
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
    get heard() {
      return heard;
    },
    logged(number) {
      heard = Math.max(heard, number);
      wake();
    },
    progress(message) {
      const { generationId, index, step, frame, imageSide, at } = message;
      progress.set(generationId, message);
      if (frame !== undefined && everyMs !== null) {
        const waiting = frames.get(generationId) ?? new Map();
        frames.set(generationId, waiting.set(index, { index, step, frame, imageSide, at }));
      }
      wake();
    },
    take() {
      const taken = [...progress.values()];
      progress.clear();
      return taken.map((message) => ({
        // The message would keep its frame alive, and be told a second time.
        progress: { ...message, frame: undefined },
        frames: takeFrames(message.generationId),
      }));
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
