import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** What belongs to the request that runs right now, where no argument can carry it. */
export type RequestScope = {
  readonly requestId: string;
  /** As the client wrote it; undefined where it wrote none, and for what is no request of HTTP. */
  readonly host?: string | undefined;
  /** Calls back when the answer is with the client, or its connection has broken. */
  readonly onClose?: (callback: () => void) => void;
  /** The connection that it came by. */
  readonly connection?: object;
};

export const requestScope = new AsyncLocalStorage<RequestScope>();

/** Short enough to read out on the telephone, and never twice in a log. */
export function newRequestId(): string {
  return randomBytes(9).toString('base64url');
}
