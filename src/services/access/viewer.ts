import { encodeEventCursor } from '../../events/log.ts';
import type { PrismaClient, UserRole } from '../../generated/prisma/client.ts';

/** Who asks. Read anew at the start of each operation. */
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

const localName = 'local';
const defaultProjectName = 'My project';

type ViewerRow = {
  id: string;
  name: string;
  role: UserRole;
  eventCounter: bigint;
  defaultProjectId: string;
};

/** The one user of an installation without authentication; made, with its project, when first asked for. */
export async function localViewer(client: PrismaClient): Promise<Viewer> {
  const row = (await findLocal(client)) ?? (await createLocal(client));
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    defaultProjectId: row.defaultProjectId,
    eventCursor: encodeEventCursor(row.id, Number(row.eventCounter)),
  };
}

async function findLocal(client: PrismaClient): Promise<ViewerRow | null> {
  const rows = await client.$queryRaw<ViewerRow[]>`
    SELECT u."id", u."name", u."role", u."eventCounter", p."id" AS "defaultProjectId"
    FROM "User" u JOIN "Project" p ON p."defaultOf" = u."id"
    WHERE u."name" = ${localName}`;
  return rows[0] ?? null;
}

/** Two at once end with the same rows: both inserts step back where the row is there. */
async function createLocal(client: PrismaClient): Promise<ViewerRow> {
  await client.user.createMany({
    data: [{ name: localName, role: 'ADMIN' }],
    skipDuplicates: true,
  });
  const { id } = await client.user.findUniqueOrThrow({ where: { name: localName } });
  await client.project.createMany({
    data: [{ ownerId: id, name: defaultProjectName, defaultOf: id }],
    skipDuplicates: true,
  });
  const row = await findLocal(client);
  if (row === null) throw new Error('Expected the local user to be there after it was made');
  return row;
}
