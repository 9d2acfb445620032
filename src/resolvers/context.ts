import type { Viewer } from '../services/access/viewer.ts';
import type { Services } from '../services/services.ts';

/** What every resolver gets: the viewer of this operation, and what answers. */
export type Context = {
  readonly viewer: Viewer;
  readonly services: Services;
  /** As the client sees it in errors, and the log has it. */
  readonly requestId: string;
  /** Address that the request came from; null where it is not known. */
  readonly address: string | null;
  /** Aborts when the client no longer waits for the answer, or, with a `DomainError`, when its credential ends. */
  readonly signal: AbortSignal;
  /** Called when the operation waits for something else than its own work: others may then run in its place. */
  readonly atRest: { begin: () => void };
  /** Scheme and host under which this client reaches the server, without a slash at the end. */
  readonly origin: string;
};
