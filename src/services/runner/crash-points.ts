/** Where a crash can be made to happen by whoever tests it, in the order in which a generation passes them. */
export const crashPoints = [
  'claimed',
  'file-renamed',
  'before-commit',
  'after-commit',
  'before-publish',
] as const;
export type CrashPoint = (typeof crashPoints)[number];
