/** The log of a runner. A pino logger fits. */
export type RunnerLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};
