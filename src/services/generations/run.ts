import type { Events } from '../../events/events.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import type { Generate } from '../../inference/request.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Live } from './live.ts';

/** Where a crash can be made to happen, in the order in which they pass. */
export const crashPoints = [
  'claimed',
  'file-renamed',
  'before-commit',
  'after-commit',
  'before-publish',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

/** A pino logger fits. */
export type Log = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

export type RunnerOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly storage: Storage;
  readonly live: Live;
  readonly generate: Generate;
  /** Generations that run at once. */
  readonly concurrency: number;
  /** Into the pictures' metadata, for example `Easel 0.1.0`. */
  readonly software: string;
  /** No other process works on this database: what runs at the start is a dead one's. */
  readonly alone: boolean;
  readonly log: Log;
  readonly leaseMs?: number;
  readonly reached?: (point: CrashPoint) => void | Promise<void>;
};

export type Runner = {
  /** Claims no more, hands back what runs, and waits until the engine has let go. */
  stop(): Promise<void>;
};

export async function startRunner(options: RunnerOptions): Promise<Runner> {
  throw new Error(`Unfinished: ${Object.keys(options).join()}`);
}
