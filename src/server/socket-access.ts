import { DomainError } from '../errors.ts';
import type { CredentialEnded, Sessions } from '../services/access/sessions.ts';
import type { MakeContext } from './graphql.ts';
import { accessLimits } from './limits.ts';
import { newRequestId } from './request-scope.ts';
import type { Connection, Extra } from './socket-state.ts';

/** "Unauthorized": clients of graphql-ws do not come again by themselves. */
const unauthorized = 4401;
/** "Forbidden": clients of graphql-ws come again, with what their `connectionParams` give then. */
const forbidden = 4403;
/** "Try Again Later". */
const tryAgain = 1013;

export type SocketAccess = {
  readonly context: MakeContext;
  readonly sessions: Sessions;
  /** Open WebSockets of a user. */
  readonly socketsOf: (userId: string) => number;
};

/**
 * At `connection_init`: whose connection it is, for as long as the credential holds. False where it is refused; then
 * it has been ended with a code and a reason.
 */
export async function authenticateSocket(
  { connectionParams, extra }: Connection,
  { context, sessions, socketsOf }: SocketAccess,
): Promise<boolean> {
  extra.authorization = authorizationIn(connectionParams) ?? extra.authorization;
  const { host, address, authorization } = extra;
  const signal = new AbortController().signal;
  try {
    const { viewer } = await context({
      requestId: newRequestId(),
      signal,
      host,
      address,
      authorization,
    });
    if (viewer.credential.kind === 'none') return true;
    if (socketsOf(viewer.id) >= accessLimits.socketsOfUser) throw tooManySockets();
    extra.userId = viewer.id;
    extra.leave = sessions.follow(viewer, (reason) => endSession(extra, reason));
    if (extra.isClosed) extra.leave(); // Meanwhile.
    return !extra.isClosed;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    extra.end(codeOf(error), error.message);
    return false;
  }
}

/** As the header has it, by itself or among `headers`, as clients of several kinds send it. */
function authorizationIn(params: Readonly<Record<string, unknown>> = {}): string | undefined {
  const headers = Object(params['headers']) as Readonly<Record<string, unknown>>;
  const values = ['authorization', 'Authorization'].flatMap((name) => [
    params[name],
    headers[name],
  ]);
  return values.find((value) => typeof value === 'string');
}

function tooManySockets(): DomainError {
  const max = accessLimits.socketsOfUser;
  return new DomainError('RATE_LIMITED', `Expected at most ${max} open WebSockets of one user`, {
    max,
  });
}

function endSession({ end, operations }: Extra, reason: CredentialEnded): void {
  for (const { controller } of operations.values()) controller.abort(reason);
  end(reason.mayRenew ? forbidden : unauthorized, reason.message);
}

function codeOf({ code }: DomainError): number {
  return code === 'UNAUTHENTICATED' ? unauthorized : code === 'FORBIDDEN' ? forbidden : tryAgain;
}
