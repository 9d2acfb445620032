/** Lengths of texts in characters (UTF-16 code units). */
export const projectLimits = {
  name: { min: 1, max: 200 },
  description: { min: 0, max: 5000 },
} as const;

/** Ids in one `nodes`. */
export const nodesLimit = { max: 200 } as const;

/** Of files that can be made again: smaller images of stored ones. */
export const renditionLimits = {
  /** Of one asset: what a page asks for in a few sizes and formats. */
  perAsset: 48,
  /** Of all together. */
  bytes: 4_000_000_000,
  /** Made at once. */
  atOnce: 2,
  /** That wait to be made. */
  waiting: 500,
} as const;

/** Of files that come from users. */
export const uploadLimits = {
  /** Decoded at once: of the largest ones each takes some hundred megabytes. */
  atOnce: 1,
  /** That wait to be decoded. */
  waiting: 32,
} as const;

/** Of what users write on assets; lengths in characters (UTF-16 code units). */
export const assetLimits = {
  title: { min: 1, max: 200 },
  tag: { min: 1, max: 100 },
  /** Of one asset. */
  tags: { max: 50 },
} as const;

export const presetLimits = { name: { min: 1, max: 200 }, perUser: 500 } as const;
