/** Lengths of texts in characters (UTF-16 code units). */
export const projectLimits = {
  name: { min: 1, max: 200 },
  description: { min: 0, max: 5000 },
} as const;

/** Ids in one `nodes`. */
export const nodesLimit = { max: 200 } as const;
