import type { Events, PreviewFrame } from '../../events/events.ts';
import type { Generation } from '../../generated/prisma/client.ts';
import type { Stage } from '../../inference/request.ts';

/** Tells how far one run of a generation has come. Only publishes: who listens, and whether anybody does, is unknown. */
export type RunProgress = {
  stageBegan(stage: Stage): void;
  /** `step`: 1 to `steps`. */
  stepEnded(index: number, step: number, frame: PreviewFrame | null): void;
  imageStored(index: number): void;
  ended(): void;
  /** In all images: the most so far, in earlier runs too. */
  readonly finishedSteps: number;
  readonly stage: Stage;
};

/** `ready`: the images that an earlier run has stored. */
export function createRunProgress(
  events: Events,
  generation: Generation,
  ready: ReadonlySet<number>,
): RunProgress {
  const { id: generationId, ownerId, projectId, model, width, height } = generation;
  const steps = Array.from({ length: generation.count }, (_, index) =>
    ready.has(index) ? generation.steps : 0,
  );
  const totalSteps = generation.steps * generation.count;
  const done = () => steps.reduce((sum, step) => sum + step, 0);
  let finishedSteps = Math.max(generation.finishedSteps, done());
  let stage: Stage = 'LOADING_MODEL';
  const publish = (isStep: boolean) =>
    events.publish('progress', {
      type: 'progress',
      ...{ ownerId, projectId, generationId, model, width, height },
      ...{ stage, isStep, finishedSteps, totalSteps },
      stepsLeft: totalSteps - done(),
      at: Date.now(),
    });
  return {
    get finishedSteps() {
      return finishedSteps;
    },
    get stage() {
      return stage;
    },
    stageBegan(began) {
      stage = began;
      publish(false);
    },
    stepEnded(index, step, frame) {
      steps[index] = step;
      finishedSteps = Math.max(finishedSteps, done());
      // The frame first: a viewer is told of both at once, when the step is.
      if (frame !== null) {
        events.publish(`owner:${ownerId}`, {
          type: 'frame',
          ...{ ownerId, projectId, generationId, index, step, frame },
          imageSide: Math.max(width, height),
          at: Date.now(),
        });
      }
      publish(true);
    },
    imageStored(index) {
      events.publish('progress', { type: 'image-stored', generationId, index, at: Date.now() });
    },
    ended() {
      events.publish('progress', { type: 'run-ended', generationId });
    },
  };
}
