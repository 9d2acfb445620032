import { DomainError } from '../../errors.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { keyIdOf, type Viewer } from './viewer.ts';

/** Whatever stays open for a viewer: WebSockets, requests that wait. */
export type Sessions = {
  /**
   * Calls `onEnd` once, when the credential no longer holds: within a second after its key was revoked, its user removed
   * or given another role, and when it expires. Call `leave` when there is nothing more to end.
   */
  follow(viewer: Viewer, onEnd: (reason: CredentialEnded) => void): Leave;
  close(): Promise<void>;
};
type Leave = () => void;

/** `mayRenew`: the same client may come again, with a fresh token or in its new role. */
export class CredentialEnded extends DomainError {
  readonly mayRenew: boolean;

  constructor(what: string, { mayRenew }: { mayRenew: boolean }) {
    super('UNAUTHENTICATED', `Expected a credential that still holds, but ${what}`);
    this.mayRenew = mayRenew;
  }
}

/** The promise is a second, of which this leaves half for the query and what must be closed. */
const lookEveryMs = 500;

/** Longest delay of `setTimeout`, in milliseconds: 2^31 - 1. */
const longestDelayMs = 2_147_483_647;

type Session = {
  readonly viewer: Viewer;
  readonly end: (reason: CredentialEnded) => void;
};
type Standing = {
  readonly key: string;
  readonly isRevoked: boolean;
  readonly isRemoved: boolean;
  readonly role: string;
};

/**
 * Looks at the rows themselves: so it makes no difference which process or command has changed them. Costs one query per
 * look while something is open, and nothing else.
 */
export function createSessions(deps: {
  client: PrismaClient;
  onError: (error: unknown) => void;
}): Sessions {
  const sessions = new Set<Session>();
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<void> = Promise.resolve();
  let isClosed = false;

  async function look(): Promise<void> {
    const looked = [...sessions]; // Those that begin meanwhile are looked at the next time.
    const standings = await read(deps.client, looked);
    for (const { viewer, end } of looked) {
      const reason = endOf(viewer, standings.get(keyOf(viewer)));
      if (reason) end(reason);
    }
  }

  function schedule(): void {
    if (timer !== null || isClosed || sessions.size === 0) return;
    timer = setTimeout(() => {
      looking = look()
        .catch(deps.onError)
        .then(() => {
          timer = null;
          schedule();
        });
    }, lookEveryMs);
    timer.unref();
  }

  return {
    follow(viewer, onEnd) {
      if (viewer.credential.kind === 'none') return () => {};
      const session: Session = {
        viewer,
        end(reason) {
          if (leave()) onEnd(reason);
        },
      };
      const cancelExpiry = atExpiry(viewer, () => session.end(expired()));
      const leave = () => {
        cancelExpiry();
        return sessions.delete(session);
      };
      sessions.add(session);
      schedule();
      return () => void leave();
    },
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      sessions.clear();
      await looking;
    },
  };
}

function atExpiry({ credential }: Viewer, then: () => void): () => void {
  const expiresAt = credential.kind === 'none' ? null : credential.expiresAt;
  if (expiresAt === null) return () => {};
  let timer: NodeJS.Timeout;
  const arm = () => {
    const inMs = expiresAt.getTime() - Date.now();
    timer = setTimeout(
      () => (inMs <= longestDelayMs ? then() : arm()),
      Math.min(Math.max(0, inMs), longestDelayMs),
    );
    timer.unref();
  };
  arm();
  return () => clearTimeout(timer);
}

function expired(): CredentialEnded {
  return new CredentialEnded('it has expired', { mayRenew: true });
}

/** What the rows are found by: a key, or its user where it was a token. */
function keyOf(viewer: Viewer): string {
  return keyIdOf(viewer) ?? viewer.id;
}

async function read(
  client: PrismaClient,
  sessions: readonly Session[],
): Promise<Map<string, Standing>> {
  const keys = new Set(sessions.flatMap(({ viewer }) => keyIdOf(viewer) ?? []));
  const users = new Set(
    sessions.flatMap(({ viewer }) => (keyIdOf(viewer) === null ? viewer.id : [])),
  );
  const rows = await client.$queryRaw<Standing[]>`
    SELECT k."id" AS "key", k."revokedAt" IS NOT NULL AS "isRevoked",
      u."removedAt" IS NOT NULL AS "isRemoved", u."role"::text AS "role"
    FROM "ApiKey" k JOIN "User" u ON u."id" = k."ownerId" WHERE k."id" = ANY(${[...keys]}::uuid[])
    UNION ALL
    SELECT u."id", false, u."removedAt" IS NOT NULL, u."role"::text
    FROM "User" u WHERE u."id" = ANY(${[...users]}::uuid[])`;
  return new Map(rows.map((row) => [row.key, row]));
}

function endOf({ role }: Viewer, standing: Standing | undefined): CredentialEnded | null {
  if (standing === undefined || standing.isRemoved) {
    return new CredentialEnded('its user was removed', { mayRenew: false });
  }
  if (standing.isRevoked) return new CredentialEnded('it was revoked', { mayRenew: false });
  if (standing.role !== role) {
    return new CredentialEnded('its user has another role now: connect again', { mayRenew: true });
  }
  return null;
}
