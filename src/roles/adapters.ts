import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import type { Events } from '../events/events.ts';
import type { Log } from '../server/log.ts';
import type { Storage } from '../storage/storage.ts';
import type { Closing } from './closing.ts';

/** What the roles share, in one process or in several: database, events and storage, and nothing else. */
export type Adapters = {
  readonly config: Config;
  readonly version: string;
  readonly database: Database;
  readonly events: Events;
  readonly storage: Storage;
  readonly log: Log;
  readonly closing: Closing;
  /** Called at named points; a test of recovery may end the process there. */
  readonly reached: (point: string) => Promise<void>;
};
