/** Of what is asked for beside the settings, which have theirs in `inference/request.ts`. */
export const generateLimits = {
  /** Characters (UTF-16 code units). */
  clientReference: { min: 0, max: 200 },
  idempotencyKey: { min: 1, max: 200 },
  waitSeconds: { min: 0, max: 60 },
} as const;
