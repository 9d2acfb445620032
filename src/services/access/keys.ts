import { DomainError, type Mismatch } from '../../errors.ts';
import type { ApiKey, Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems } from '../input/text.ts';
import { NotFound, requireRowId } from '../relay/global-id.ts';
import { type Actor, note } from './audit.ts';
import { scopes as allScopes, keyLimits, maxKeys, type Scope } from './limits.ts';
import { scopesOfRole } from './scopes.ts';
import { newSecret } from './secret.ts';
import { keyIdOf, type Viewer } from './viewer.ts';

export type NewKey = {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt?: Date | null;
};
/** `secret` is kept nowhere. */
export type MadeKey = { readonly apiKey: ApiKey; readonly secret: string };

export type Keys = {
  /**
   * A key of the viewer, with scopes of the credential that makes it; it ends no later than that one. @throws BadInput,
   * DomainError QUOTA_EXCEEDED
   */
  create(actor: Actor & { viewer: Viewer }, input: NewKey): Promise<MadeKey>;
  /** With all keys that were made with it. @throws NotFound */
  revoke(actor: Actor & { viewer: Viewer }, globalId: string): Promise<{ revokedApiKeyId: string }>;
  /** Keys of the viewer that work, newest first. */
  list(viewer: Viewer): Promise<ApiKey[]>;
  /** By row id; null where there is none or it is not the viewer's. */
  load(viewer: Viewer, rowId: string): Promise<ApiKey | null>;
};

export function createKeys({ client }: { client: PrismaClient }): Keys {
  return {
    async create(actor, input) {
      const { viewer } = actor;
      refuse([...keyProblems(input, viewer.scopes), ...lifetimeProblems(input, viewer)]);
      return client.$transaction(async (tx) => {
        // One after the other, so that together they make no more than may be, and none is made with a key that is revoked
        // or for a user who is removed meanwhile.
        await lockUser(tx, viewer.id);
        await requireStillValid(tx, viewer);
        const got = await tx.apiKey.count({ where: { ownerId: viewer.id, ...working() } });
        if (got >= maxKeys) throw tooManyKeys(got);
        const { credential } = viewer;
        const madeUntil = credential.kind === 'key' ? credential.expiresAt : null;
        return addKey(tx, actor, {
          ...input,
          ownerId: viewer.id,
          createdById: keyIdOf(viewer),
          expiresAt: input.expiresAt ?? madeUntil,
        });
      });
    },
    async revoke(actor, globalId) {
      const { viewer } = actor;
      const id = requireRowId('ApiKey', globalId);
      return client.$transaction(async (tx) => {
        await lockUser(tx, viewer.id);
        const found = await tx.apiKey.findUnique({ where: { id, ownerId: viewer.id } });
        if (found === null) throw new NotFound('an API key', globalId, ['id']);
        await revokeWithMade(tx, actor, found);
        return { revokedApiKeyId: globalId };
      });
    },
    list: (viewer) =>
      client.apiKey.findMany({
        where: { ownerId: viewer.id, ...working() },
        orderBy: { createdAt: 'desc' },
      }),
    async load(viewer, rowId) {
      return client.apiKey.findUnique({ where: { id: rowId, ownerId: viewer.id } });
    },
  };
}

/** What is done to the keys of one user is done one after the other. */
export async function lockUser(tx: Prisma.TransactionClient, userId: string): Promise<void> {
  await tx.$executeRaw`SELECT 1 FROM "User" WHERE "id" = ${userId}::uuid FOR NO KEY UPDATE`;
}

/** An operation is authenticated when it begins; with the user's row locked nothing changes any more. */
async function requireStillValid(tx: Prisma.TransactionClient, viewer: Viewer): Promise<void> {
  const user = await tx.user.findUnique({ where: { id: viewer.id, removedAt: null } });
  const keyId = keyIdOf(viewer);
  const key = keyId && (await tx.apiKey.findUnique({ where: { id: keyId, ...working() } }));
  if (user?.role === viewer.role && (keyId === null || key)) return;
  throw new DomainError(
    'UNAUTHENTICATED',
    'Expected a credential that still holds, but it has ended',
  );
}

export type KeyRow = NewKey & { readonly ownerId: string; readonly createdById: string | null };

/** Adds a key that was checked. */
export async function addKey(
  tx: Prisma.TransactionClient,
  actor: Actor,
  { name, scopes, ownerId, createdById, expiresAt = null }: KeyRow,
): Promise<MadeKey> {
  const { secret, ...kept } = newSecret();
  const granted = allScopes.filter((scope) => scopes.includes(scope));
  const apiKey = await tx.apiKey.create({
    data: { ...kept, name: name.trim(), scopes: granted, ownerId, createdById, expiresAt },
  });
  const details = {
    name: apiKey.name,
    scopes: granted,
    expiresAt: expiresAt?.toISOString() ?? null,
  };
  await note(tx, actor, { action: 'key.create', targetId: apiKey.id, details });
  return { apiKey, secret };
}

/** A thief who made further keys with it loses them, too. */
export async function revokeWithMade(
  tx: Prisma.TransactionClient,
  actor: Actor,
  { id, name }: Pick<ApiKey, 'id' | 'name'>,
): Promise<void> {
  await tx.$executeRaw`
    WITH RECURSIVE made AS (
      SELECT ${id}::uuid AS "id"
      UNION SELECT k."id" FROM "ApiKey" k JOIN made ON k."createdById" = made."id"
    )
    UPDATE "ApiKey" k SET "revokedAt" = now() FROM made
    WHERE k."id" = made."id" AND k."revokedAt" IS NULL`;
  await note(tx, actor, { action: 'key.revoke', targetId: id, details: { name } });
}

/** Condition of keys that were not revoked and have not expired. */
export function working() {
  return {
    revokedAt: null,
    OR: [{ expiresAt: null }, { expiresAt: { gt: new Date() } }],
  } satisfies Prisma.ApiKeyWhereInput;
}

/** Of a name and scopes, within those that may be given. */
export function keyProblems(
  { name, scopes }: Pick<NewKey, 'name' | 'scopes'>,
  within: ReadonlySet<Scope> = scopesOfRole('ADMIN'),
): Mismatch[] {
  const beyond = scopes.find((scope) => !within.has(scope));
  const may = allScopes.filter((scope) => within.has(scope)).join(', ');
  const problems = [...nameProblems(['name'], name, keyLimits.name)];
  if (scopes.length === 0) {
    problems.push({ path: ['scopes'], expected: 'at least one scope', got: { phrase: 'none' } });
  }
  if (beyond !== undefined) {
    const expected = `scopes of the credential that makes the key (${may})`;
    problems.push({ path: ['scopes'], expected, got: beyond, code: 'FORBIDDEN' });
  }
  return problems;
}

function lifetimeProblems({ expiresAt }: NewKey, { credential }: Viewer): Mismatch[] {
  if (expiresAt == null) return [];
  const got = expiresAt.toISOString();
  const path = ['expiresAt'];
  if (expiresAt.getTime() <= Date.now()) return [{ path, expected: 'a time in the future', got }];
  const latest = credential.kind === 'key' ? credential.expiresAt : null;
  if (latest === null || expiresAt <= latest) return [];
  const expected = `a time no later than ${latest.toISOString()}, when the credential that makes the key ends`;
  return [{ path, expected, got }];
}

function tooManyKeys(got: number): DomainError {
  return new DomainError(
    'QUOTA_EXCEEDED',
    `Expected fewer than ${maxKeys} keys of yours that work, but got ${got}: revoke one first`,
    { max: maxKeys, got },
  );
}
