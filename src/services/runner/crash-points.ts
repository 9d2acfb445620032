/** Points at which a test can end the process, in the order in which a generation passes them. */
export const crashPoints = [
  'claimed',
  'file-renamed',
  'before-commit',
  'after-commit',
  'before-publish',
] as const;
export type CrashPoint = (typeof crashPoints)[number];
