/** Of what a viewer may want of previews. */
export const previewLimits = {
  /** Pixels of the longest side; previews are never larger than the finished image. */
  maxSize: { min: 16, max: 8192 },
  /** Milliseconds. */
  everyMs: { min: 0, max: 60_000, default: 250 },
} as const;
