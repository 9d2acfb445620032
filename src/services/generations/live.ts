export type Live = {
  /** Counted since the start, for the metrics: frames that the engine made, and that were encoded. */
  readonly counters: { framesComputed: number; framesEncoded: number };
};
export function createLive(): Live {
  return { counters: { framesComputed: 0, framesEncoded: 0 } };
}
