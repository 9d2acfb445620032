import { randomUUID } from 'node:crypto';
import type { PrismaClient, User, UserRole } from '../../src/generated/prisma/client.ts';
import { operator } from '../../src/services/access/audit.ts';
import { addKey } from '../../src/services/access/keys.ts';
import { scopes as all, type Scope } from '../../src/services/access/limits.ts';
import { addUser } from '../../src/services/access/users.ts';

export const member: readonly Scope[] = ['READ', 'GENERATE', 'WRITE'];

export async function makeUser(client: PrismaClient, role: UserRole = 'MEMBER'): Promise<User> {
  return client.$transaction((tx) => addUser(tx, operator, { name: `user-${randomUUID()}`, role }));
}

/** A key of the user: its row's id, and what goes into `Authorization`. */
export async function makeKey(
  client: PrismaClient,
  { id: ownerId, role }: User,
  { scopes = role === 'ADMIN' ? all : member, expiresAt = null as Date | null } = {},
): Promise<{ keyId: string; secret: string; bearer: { authorization: string } }> {
  const row = { name: 'test', scopes, ownerId, createdById: null, expiresAt };
  const { apiKey, secret } = await client.$transaction((tx) => addKey(tx, operator, row));
  return { keyId: apiKey.id, secret, bearer: { authorization: `Bearer ${secret}` } };
}
