import { DomainError } from '../../errors.ts';
import type { UserRole } from '../../generated/prisma/client.ts';
import { type Scope, scopes } from './limits.ts';

/** The most that credentials of a user with this role may do. */
export function scopesOfRole(role: UserRole): ReadonlySet<Scope> {
  return new Set(role === 'ADMIN' ? scopes : scopes.filter((scope) => scope !== 'ADMIN'));
}

export function isScope(text: string): text is Scope {
  return scopes.some((scope) => scope === text);
}

/** @throws DomainError FORBIDDEN that names what is lacking */
export function requireScopes(has: ReadonlySet<Scope>, needed: ReadonlySet<Scope>): void {
  const lacking = scopes.filter((scope) => needed.has(scope) && !has.has(scope));
  if (lacking.length === 0) return;
  const got = scopes.filter((scope) => has.has(scope)).join(' and ') || 'none';
  throw new DomainError(
    'FORBIDDEN',
    `Expected a credential with the scope ${lacking.join(' and ')}, but got one with ${got}`,
  );
}
