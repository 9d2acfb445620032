import type { AuditEntry, Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { refuse } from '../input/problems.ts';
import { textProblems } from '../input/text.ts';
import { requireRowId } from '../relay/global-id.ts';
import { type Connection, type PageArgs, paginate } from '../relay/pagination.ts';
import { auditLimits } from './limits.ts';
import { keyIdOf, type Viewer } from './viewer.ts';

/** What is written down. A new one is a row of this list. */
export const auditActions = [
  'key.create',
  'key.revoke',
  'user.create',
  'user.role',
  'user.remove',
  'links.rotate',
  'sign-in.fail',
  'assets.delete',
  'generations.delete',
  'project.delete',
  'queue.pause',
  'queue.resume',
] as const;
export type AuditAction = (typeof auditActions)[number];

/** Who did it: a viewer, from an address; a command has neither. */
export type Actor = {
  readonly viewer: Viewer | null;
  readonly address: string | null;
};

/** Somebody who may run commands on the machine. */
export const operator: Actor = { viewer: null, address: null };

export type AuditNote = {
  readonly action: AuditAction;
  /** Row id. */
  readonly targetId?: string;
  /** Names, roles, scopes and times: never a secret, never a prompt. */
  readonly details?: Readonly<Record<string, string | readonly string[] | null>>;
};

/** Adds an entry, in the transaction of what it tells of. */
export async function note(
  tx: Prisma.TransactionClient,
  { viewer, address }: Actor,
  { action, targetId, details = {} }: AuditNote,
): Promise<void> {
  const actor = viewer && { actorId: viewer.id, apiKeyId: keyIdOf(viewer) };
  const data = { ...actor, action, targetId: targetId ?? null, address };
  await tx.auditEntry.create({ data: { ...data, details: details as Prisma.InputJsonObject } });
}

export type Audit = {
  /** Newest first, unless the order says otherwise. */
  page(list: { filter: AuditFilter; args: PageArgs }): Promise<Connection<AuditEntry>>;
};
export type AuditFilter = {
  readonly action?: string | null;
  /** Global id of a user. */
  readonly actorId?: string | null;
  readonly createdAfter?: Date | null;
  readonly createdBefore?: Date | null;
};

export function createAudit({ client }: { client: PrismaClient }): Audit {
  return {
    page({ filter, args }) {
      const { createdAfter, createdBefore } = filter;
      refuse(textProblems(['filter', 'action'], filter.action, auditLimits.action));
      const where: Prisma.AuditEntryWhereInput = {
        ...(filter.action ? { action: filter.action } : {}),
        ...(filter.actorId == null
          ? {}
          : { actorId: requireRowId('User', filter.actorId, ['filter', 'actorId']) }),
        createdAt: {
          ...(createdAfter ? { gt: createdAfter } : {}),
          ...(createdBefore ? { lt: createdBefore } : {}),
        },
      };
      return paginate<'createdAt', AuditEntry, Prisma.AuditEntryWhereInput>(args, {
        order: { field: 'createdAt', direction: 'DESC' },
        find: ({ where: place, orderBy, take }) =>
          client.auditEntry.findMany({ where: { AND: [where, ...place] }, orderBy, take }),
        count: () => client.auditEntry.count({ where }),
      });
    },
  };
}
