import { localUserName } from '../../database/installation.ts';
import type { PrismaClient, UserRole } from '../../generated/prisma/client.ts';
import { encodeEventCursor } from '../event-log/cursor.ts';

/** The user that an operation runs for. Read at the start of each operation. */
export type Viewer = {
  readonly id: string;
  readonly name: string;
  readonly role: UserRole;
  readonly defaultProjectId: string;
  /**
   * Position of the viewer's event log before anything else of this operation was read: handed out
   * as `eventCursor`, nothing that happens after a read can be missed.
   */
  readonly eventCursor: string;
};

/** The one user of an installation without authentication. */
export function localViewer(client: PrismaClient): Promise<Viewer> {
  return viewerNamed(client, localUserName);
}

/** A user and its default project, in one query. */
export async function viewerNamed(client: PrismaClient, name: string): Promise<Viewer> {
  const [row] = await client.$queryRaw<(Omit<Viewer, 'eventCursor'> & { eventCounter: bigint })[]>`
    SELECT u."id", u."name", u."role", u."eventCounter", p."id" AS "defaultProjectId"
    FROM "User" u JOIN "Project" p ON p."defaultOf" = u."id"
    WHERE u."name" = ${name}`;
  if (row === undefined) throw new Error(`Expected the user "${name}" and its default project`);
  const { eventCounter, ...user } = row;
  return { ...user, eventCursor: encodeEventCursor(user.id, Number(eventCounter)) };
}
