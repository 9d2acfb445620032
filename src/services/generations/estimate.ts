import type { WorkAhead } from './queue.ts';

/** What the time of a generation depends on. */
export type Kind = { readonly model: string; readonly width: number; readonly height: number };

export type Estimate = {
  /** Milliseconds from the end of a step to the end of the next one of the same generation. */
  sawStep(kind: Kind, milliseconds: number): void;
  /** Milliseconds from an image's last step until it is stored. */
  sawEnding(kind: Kind, milliseconds: number): void;
  /** Milliseconds for what is left; null before anything like it has run. */
  left(kind: Kind, steps: number): number | null;
  /** The same for all of it, one after the other; null where any part is unknown. */
  sum(work: readonly WorkAhead[]): number | null;
};

/** The weight of the newest measurement: the last ten or so count. */
const newest = 0.2;

/** Moving averages per model and size, of this process alone: nothing is known before the first run. */
export function createEstimate(): Estimate {
  const stepMs = new Map<string, number>();
  const endingMs = new Map<string, number>();
  const learn = (averages: Map<string, number>, kind: Kind, milliseconds: number) => {
    const average = averages.get(keyOf(kind)) ?? milliseconds;
    averages.set(keyOf(kind), average + newest * (milliseconds - average));
  };
  const left = (kind: Kind, steps: number) => {
    const perStep = stepMs.get(keyOf(kind));
    return perStep === undefined ? null : perStep * steps + (endingMs.get(keyOf(kind)) ?? 0);
  };
  return {
    sawStep: (kind, milliseconds) => learn(stepMs, kind, milliseconds),
    sawEnding: (kind, milliseconds) => learn(endingMs, kind, milliseconds),
    left,
    sum(work) {
      const parts = work.map((part) => left(part, part.steps));
      return parts.reduce((sum, part) => (sum === null || part === null ? null : sum + part), 0);
    },
  };
}

function keyOf({ model, width, height }: Kind): string {
  return `${width}x${height} ${model}`;
}
