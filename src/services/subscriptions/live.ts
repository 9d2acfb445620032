import { LRUCache } from 'lru-cache';
import type { Events, FrameMessage, ProgressMessage } from '../../events/events.ts';
import type { Stage } from '../../inference/request.ts';
import type { Estimate } from '../generations/estimate.ts';
import { stageOf } from '../generations/status.ts';
import type { ImagePreview } from './frames.ts';

/** Steps in all images of a generation. */
export type LiveProgress = {
  readonly stage: Stage;
  readonly finishedSteps: number;
  readonly totalSteps: number;
  readonly estimatedFinishAt: Date | null;
};

/** What this process has received from the runners of all processes. Memory only, and lost without harm. */
export type Live = {
  /** Null where no runner has reported that it works on it now. */
  progress(generationId: string): LiveProgress | null;
  /** The most that was reported, also when its run has ended; 0 where nothing was. */
  finishedSteps(generationId: string): number;
  /** When all that runs is thought to be done, in milliseconds since 1970. */
  busyUntil(): number;
  /** The newest frame of every image that is not stored yet, where a viewer of this process wanted frames. */
  latestFrames(generationId: string): ImagePreview[];
  receiveFrame(message: FrameMessage): void;
  close(): void;
};

type Run = {
  progress: ProgressMessage;
  finishedSteps: number;
  lastStepAt: number | null;
  isRunning: boolean;
};

/** Generations that are remembered; of more than these the least recent are forgotten. */
const remembered = 10_000;

/** Resolves when listening. Learns from what it hears how long steps take. */
export async function startLive(
  events: Events,
  { estimate, onRunnerStarted }: { estimate: Estimate; onRunnerStarted: () => void },
): Promise<Live> {
  const runs = new LRUCache<string, Run>({ max: remembered });
  const running = new Set<string>();
  const frames = new LRUCache<string, Map<number, ImagePreview>>({ max: 1_000 });

  const progressed = (message: ProgressMessage) => {
    const { generationId, isStep, finishedSteps, at } = message;
    const earlier = runs.get(generationId);
    const lastStepAt = earlier?.lastStepAt ?? null;
    if (isStep && lastStepAt !== null) estimate.sawStep(message, at - lastStepAt);
    runs.set(generationId, {
      progress: message,
      finishedSteps: Math.max(finishedSteps, earlier?.finishedSteps ?? 0),
      lastStepAt: isStep ? at : lastStepAt,
      isRunning: true,
    });
    running.add(generationId);
  };
  const stored = (generationId: string, index: number, at: number) => {
    frames.get(generationId)?.delete(index);
    const run = runs.get(generationId);
    if (run === undefined || run.lastStepAt === null || run.progress.stepsLeft > 0) return;
    estimate.sawEnding(run.progress, at - run.lastStepAt);
  };
  const ended = (generationId: string) => {
    frames.delete(generationId);
    running.delete(generationId);
    const run = runs.get(generationId);
    if (run !== undefined) Object.assign(run, { isRunning: false, lastStepAt: null });
  };
  const finishAt = ({ progress }: Run) => {
    const ms = estimate.left(progress, progress.stepsLeft);
    return ms === null ? null : new Date(progress.at + ms);
  };
  const unsubscribe = await events.subscribe('progress', (message) => {
    if (message.type === 'progress') progressed(message);
    if (message.type === 'image-stored') stored(message.generationId, message.index, message.at);
    if (message.type === 'run-ended') ended(message.generationId);
    if (message.type === 'runner-started') onRunnerStarted();
  });
  return {
    progress(generationId) {
      const run = runs.get(generationId);
      if (!run?.isRunning) return null;
      const { stage, totalSteps } = run.progress;
      const { finishedSteps } = run;
      return { stage: stageOf(stage), finishedSteps, totalSteps, estimatedFinishAt: finishAt(run) };
    },
    finishedSteps: (generationId) => runs.get(generationId)?.finishedSteps ?? 0,
    busyUntil() {
      const ends = [...running].map((id) => {
        const run = runs.peek(id);
        return (run && finishAt(run)?.getTime()) ?? 0;
      });
      return Math.max(Date.now(), ...ends);
    },
    latestFrames: (generationId) => [...(frames.get(generationId)?.values() ?? [])],
    receiveFrame({ generationId, index, step, frame, imageSide }) {
      const known = frames.get(generationId) ?? new Map<number, ImagePreview>();
      frames.set(generationId, known.set(index, { index, step, frame, imageSide }));
    },
    close: unsubscribe,
  };
}
