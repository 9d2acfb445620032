/**
 * Whether, and how often, anybody wants frames of an image. Lies in memory that the engine's thread
 * reads at the end of each step: asking costs nothing, and nobody asking costs nothing either.
 */
export type PreviewDemand = {
  /** [0]: 0 for none, else 1 + the least number of milliseconds between frames. */
  readonly cell: Int32Array;
};

export function createPreviewDemand(): PreviewDemand {
  return { cell: new Int32Array(new SharedArrayBuffer(4)) };
}

/** `everyMs` null: nobody watches. */
export function setPreviewDemand(demand: PreviewDemand, everyMs: number | null): void {
  Atomics.store(demand.cell, 0, everyMs === null ? 0 : Math.max(0, Math.trunc(everyMs)) + 1);
}
