import type { Frame, Message } from '../../events/events.ts';
import type { Generation } from '../../generated/prisma/client.ts';
import {
  createPreviewDemand,
  type PreviewDemand,
  type Stage,
  setPreviewDemand,
} from '../../inference/request.ts';
import { createEstimate, type Estimate } from '../generations/estimate.ts';
import { createFrames, type Frames, type ImageFrame } from './frames.ts';

/** Whose events: one generation's, one project's, or all of an owner's. */
export type Scope = { readonly type: 'generation' | 'project' | 'owner'; readonly id: string };

export type ProgressMessage = Extract<Message, { type: 'progress' }>;

/** Steps in all images of a generation. */
export type LiveProgress = {
  readonly stage: Stage;
  readonly finishedSteps: number;
  readonly totalSteps: number;
  readonly estimatedFinishAt: Date | null;
};

/** A generation that runs in this process, as its runner sees it. */
export type LiveGeneration = {
  demandOf(index: number): PreviewDemand;
  /** Each gives what is to be published. */
  stage(index: number, stage: Stage): ProgressMessage;
  step(index: number, step: number, frame: Frame | null): ProgressMessage;
  /** The image is stored: its last frame is no preview any more. */
  imageEnded(index: number): void;
  end(): void;
};

/**
 * What runs in this process right now, and who wants to see frames of it. Memory only: it is told
 * to viewers that come late, and gone without harm when the process dies.
 */
export type Live = {
  readonly frames: Frames;
  readonly estimate: Estimate;
  /** `ready`: the images that an earlier attempt has left. */
  begin(generation: Generation, ready: ReadonlySet<number>): LiveGeneration;
  progress(generationId: string): LiveProgress | null;
  /** When all that runs here is thought to be done, in milliseconds since 1970. */
  busyUntil(): number;
  latestFrames(generationId: string): ImageFrame[];
  /** From now on frames are made for this viewer, until it withdraws. */
  want(scope: Scope, everyMs: number): () => void;
};

type Wish = { readonly scope: Scope; readonly everyMs: number };

export function createLive(): Live {
  const frames = createFrames();
  const estimate = createEstimate();
  const running = new Map<string, Run>();
  const wishes = new Set<Wish>();
  const everyMsFor = (generation: Generation) => {
    const wanted = [...wishes].filter(({ scope }) => covers(scope, generation));
    return wanted.length === 0 ? null : Math.min(...wanted.map(({ everyMs }) => everyMs));
  };
  const renewDemand = (scope: Scope) => {
    for (const run of running.values()) {
      if (covers(scope, run.generation)) run.demand(everyMsFor(run.generation));
    }
  };
  return {
    frames,
    estimate,
    begin(generation, ready) {
      const run = new Run(generation, ready, estimate);
      running.set(generation.id, run);
      run.demand(everyMsFor(generation));
      return {
        demandOf: (index) => run.demands[index]!,
        stage: (index, stage) => run.stageChanged(index, stage),
        step: (index, step, frame) => {
          if (frame !== null) frames.counters.framesComputed += 1;
          return run.stepEnded(index, step, frame);
        },
        imageEnded: (index) => run.imageEnded(index),
        end: () => {
          if (running.get(generation.id) === run) running.delete(generation.id);
        },
      };
    },
    progress: (generationId) => running.get(generationId)?.progress() ?? null,
    busyUntil: () => {
      const ends = [...running.values()].map((run) => run.progress().estimatedFinishAt);
      return Math.max(Date.now(), ...ends.map((end) => end?.getTime() ?? 0));
    },
    latestFrames: (generationId) => [...(running.get(generationId)?.latest.values() ?? [])],
    want(scope, everyMs) {
      const wish = { scope, everyMs };
      wishes.add(wish);
      renewDemand(scope);
      return () => {
        if (wishes.delete(wish)) renewDemand(scope);
      };
    },
  };
}

/** The memory of one running generation. */
class Run {
  readonly generation: Generation;
  readonly demands: readonly PreviewDemand[];
  readonly latest = new Map<number, ImageFrame>();
  readonly #steps: number[];
  readonly #estimate: Estimate;
  #stage: Stage = 'LOADING_MODEL';
  #lastStepAt: number | null = null;

  constructor(generation: Generation, ready: ReadonlySet<number>, estimate: Estimate) {
    const indexes = Array.from({ length: generation.count }, (_, index) => index);
    this.generation = generation;
    this.demands = indexes.map(() => createPreviewDemand());
    this.#steps = indexes.map((index) => (ready.has(index) ? generation.steps : 0));
    this.#estimate = estimate;
  }

  demand(everyMs: number | null): void {
    for (const demand of this.demands) setPreviewDemand(demand, everyMs);
  }

  stageChanged(index: number, stage: Stage): ProgressMessage {
    this.#stage = stage;
    return this.#message(index, null);
  }

  stepEnded(index: number, step: number, frame: Frame | null): ProgressMessage {
    const now = Date.now();
    if (this.#lastStepAt !== null) this.#estimate.sawStep(this.generation, now - this.#lastStepAt);
    this.#lastStepAt = now;
    this.#steps[index] = step;
    if (frame !== null) this.latest.set(index, { index, step, frame, imageSide: this.#imageSide });
    return this.#message(index, frame);
  }

  imageEnded(index: number): void {
    this.latest.delete(index);
    if (this.#lastStepAt !== null && this.#left === 0) {
      this.#estimate.sawEnding(this.generation, Date.now() - this.#lastStepAt);
    }
  }

  progress(): LiveProgress {
    const totalSteps = this.generation.steps * this.generation.count;
    const leftMs = this.#estimate.left(this.generation, this.#left);
    return {
      stage: this.#stage,
      finishedSteps: totalSteps - this.#left,
      totalSteps,
      estimatedFinishAt: leftMs === null ? null : new Date(Date.now() + leftMs),
    };
  }

  get #left(): number {
    return this.#steps.reduce(
      (left, step) => left - step,
      this.generation.steps * this.#steps.length,
    );
  }

  get #imageSide(): number {
    return Math.max(this.generation.width, this.generation.height);
  }

  #message(index: number, frame: Frame | null): ProgressMessage {
    const { id, ownerId, projectId } = this.generation;
    const { stage, finishedSteps, totalSteps, estimatedFinishAt } = this.progress();
    return {
      type: 'progress',
      ownerId,
      projectId,
      generationId: id,
      index,
      stage,
      step: this.#steps[index] ?? 0,
      finishedSteps,
      totalSteps,
      imageSide: this.#imageSide,
      at: Date.now(),
      estimatedFinishAt: estimatedFinishAt?.getTime() ?? null,
      ...(frame === null ? {} : { frame }),
    };
  }
}

function covers(scope: Scope, generation: Generation): boolean {
  switch (scope.type) {
    case 'generation':
      return scope.id === generation.id;
    case 'project':
      return scope.id === generation.projectId;
    case 'owner':
      return scope.id === generation.ownerId;
  }
}
