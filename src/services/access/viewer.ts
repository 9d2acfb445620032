import { localUserName } from '../../database/installation.ts';
import type { PrismaClient, UserRole } from '../../generated/prisma/client.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import { encodeEventCursor } from '../event-log/cursor.ts';
import type { Scope } from './limits.ts';
import { isScope, scopesOfRole } from './scopes.ts';

/** What an operation was authenticated with. */
export type Credential =
  /** The one user of an installation without authentication. */
  | { readonly kind: 'none' }
  | { readonly kind: 'key'; readonly keyId: string; readonly expiresAt: Date | null }
  | { readonly kind: 'token'; readonly expiresAt: Date };

/** The user that an operation runs for. Read at the start of each operation, and kept for no other one. */
export type Viewer = {
  readonly id: string;
  readonly name: string;
  readonly role: UserRole;
  readonly defaultProjectId: string;
  /**
   * Position in the viewer's event log before anything else of this operation was read. As it is given out as
   * `eventCursor`, no event after a read can be missed.
   */
  readonly eventCursor: string;
  readonly credential: Credential;
  /** What the credential may do, within what its user may. */
  readonly scopes: ReadonlySet<Scope>;
};

/** Row id of the key that the operation was authenticated with. */
export function keyIdOf({ credential }: Viewer): string | null {
  return credential.kind === 'key' ? credential.keyId : null;
}

/** The one user of an installation without authentication. */
export function localViewer(client: PrismaClient): Promise<Viewer> {
  return viewerNamed(client, localUserName);
}

/** A user and its default project, in one query. */
export async function viewerNamed(client: PrismaClient, name: string): Promise<Viewer> {
  const row = await readUser(client, Prisma.sql`u."name" = ${name}`);
  if (row === null) throw new Error(`Expected the user "${name}" and its default project`);
  return viewerOf(row, { kind: 'none' }, scopesOfRole(row.role));
}

/** Null where there is no such user, or it was removed. */
export async function viewerOfToken(
  client: PrismaClient,
  { subject, expiresAt }: { subject: string; expiresAt: Date },
): Promise<Viewer | null> {
  const row = await readUser(client, Prisma.sql`u."subject" = ${subject}`);
  return row && viewerOf(row, { kind: 'token', expiresAt }, scopesOfRole(row.role));
}

/** Null where there is no such key, or it was revoked, has expired, or its user was removed. */
export async function viewerOfKey(client: PrismaClient, sha256: string): Promise<Viewer | null> {
  const [row] = await client.$queryRaw<(UserRow & KeyRow)[]>`
    SELECT ${userColumns}, k."id" AS "keyId", k."scopes", k."expiresAt", k."lastUsedAt"
    FROM "ApiKey" k
      JOIN "User" u ON u."id" = k."ownerId"
      JOIN "Project" p ON p."defaultOf" = u."id"
    WHERE k."sha256" = ${sha256} AND k."revokedAt" IS NULL AND u."removedAt" IS NULL
      AND (k."expiresAt" IS NULL OR k."expiresAt" > now())`;
  if (row === undefined) return null;
  const { keyId, expiresAt } = row;
  const allowed = scopesOfRole(row.role);
  const granted = row.scopes.filter(isScope).filter((scope) => allowed.has(scope));
  return viewerOf(row, { kind: 'key', keyId, expiresAt }, new Set(granted));
}

type UserRow = Pick<Viewer, 'id' | 'name' | 'role' | 'defaultProjectId'> & {
  readonly eventCounter: bigint;
};
type KeyRow = {
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
};

const userColumns = Prisma.sql`u."id", u."name", u."role", u."eventCounter", p."id" AS "defaultProjectId"`;

async function readUser(client: PrismaClient, which: Prisma.Sql): Promise<UserRow | null> {
  const [row] = await client.$queryRaw<UserRow[]>`
    SELECT ${userColumns}
    FROM "User" u JOIN "Project" p ON p."defaultOf" = u."id"
    WHERE u."removedAt" IS NULL AND ${which}`;
  return row ?? null;
}

function viewerOf(
  { id, name, role, defaultProjectId, eventCounter }: UserRow,
  credential: Credential,
  scopes: ReadonlySet<Scope>,
): Viewer {
  const eventCursor = encodeEventCursor(id, Number(eventCounter));
  return { id, name, role, defaultProjectId, eventCursor, credential, scopes };
}
