import { localUserName } from '../../database/installation.ts';
import { DomainError } from '../../errors.ts';
import type { Prisma, PrismaClient, User, UserRole } from '../../generated/prisma/client.ts';
import { type Connection, type PageArgs, paginate } from '../relay/pagination.ts';
import { byId, rowLoader } from '../relay/row-loader.ts';
import { type Actor, note } from './audit.ts';
import type { Viewer } from './viewer.ts';

export type Users = {
  /** By row id; null where there is none or the viewer may not see it: users see themselves, administrators all. */
  load(viewer: Viewer, rowId: string): Promise<User | null>;
  /** Those that were not removed, by name. For administrators. */
  page(args: PageArgs): Promise<Connection<User>>;
};

export function createUsers({ client }: { client: PrismaClient }): Users {
  const loadRow = rowLoader<User | null>(
    async (ids) => byId(await client.user.findMany({ where: { id: { in: [...ids] } } })),
    null,
  );
  return {
    async load(viewer, rowId) {
      const isOwn = rowId === viewer.id;
      return isOwn || viewer.scopes.has('ADMIN') ? loadRow(rowId) : null;
    },
    page(args) {
      const where = { removedAt: null };
      return paginate<'name', User, Prisma.UserWhereInput>(args, {
        order: { field: 'name', direction: 'ASC' },
        find: ({ where: place, orderBy, take }) =>
          client.user.findMany({ where: { AND: [where, ...place] }, orderBy, take }),
        count: () => client.user.count({ where }),
      });
    },
  };
}

export type NewUser = {
  readonly name: string;
  readonly role: UserRole;
  readonly subject?: string | null;
};

/** A user and its default project. */
export async function addUser(
  tx: Prisma.TransactionClient,
  actor: Actor,
  { name, role, subject = null }: NewUser,
): Promise<User> {
  const user = await tx.user.create({ data: { name, role, subject } });
  await tx.project.create({ data: { ownerId: user.id, name: 'Default', defaultOf: user.id } });
  await note(tx, actor, { action: 'user.create', targetId: user.id, details: { name, role } });
  return user;
}

/** The name itself, or with a number behind it where another user has it. */
export async function freeName(tx: Prisma.TransactionClient, name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const tried = number === 1 ? name : `${name} ${number}`;
    if ((await tx.user.findUnique({ where: { name: tried } })) === null) return tried;
  }
}

/** Its keys, tokens and links stop within a second; what it made is kept. @throws DomainError */
export async function removeUser(
  tx: Prisma.TransactionClient,
  actor: Actor,
  name: string,
): Promise<User> {
  const user = await userNamed(tx, name);
  if (name === localUserName) throw needsLocalUser();
  await keepAnAdministrator(tx, user);
  await note(tx, actor, { action: 'user.remove', targetId: user.id, details: { name } });
  return tx.user.update({ where: { id: user.id }, data: { removedAt: new Date() } });
}

/** @throws DomainError */
export async function setRole(
  tx: Prisma.TransactionClient,
  actor: Actor,
  { name, role }: { name: string; role: UserRole },
): Promise<User> {
  const user = await userNamed(tx, name);
  if (role === 'MEMBER') await keepAnAdministrator(tx, user);
  const details = { name, from: user.role, to: role };
  await note(tx, actor, { action: 'user.role', targetId: user.id, details });
  return tx.user.update({ where: { id: user.id }, data: { role } });
}

async function userNamed(tx: Prisma.TransactionClient, name: string): Promise<User> {
  const user = await tx.user.findUnique({ where: { name, removedAt: null } });
  if (user !== null) return user;
  throw new DomainError('NOT_FOUND', `Expected the name of a user, but got "${name}"`);
}

/** It is who an installation without authentication runs for, and who a key is made for where no user is named. */
function needsLocalUser(): DomainError {
  const text = `Expected another user than "${localUserName}", which the installation itself needs: revoke its keys instead`;
  return new DomainError('FORBIDDEN', text);
}

/**
 * Somebody must be able to manage the installation. Administrators of an identity provider do not count: their next token
 * may say something else.
 */
async function keepAnAdministrator(
  tx: Prisma.TransactionClient,
  { id, name }: User,
): Promise<void> {
  const others = await tx.user.count({
    where: { role: 'ADMIN', removedAt: null, subject: null, NOT: { id } },
  });
  if (others > 0) return;
  const text = `Expected a user that is not the last administrator, but "${name}" is`;
  throw new DomainError('FORBIDDEN', text);
}
