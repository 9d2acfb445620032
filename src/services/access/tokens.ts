import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { z } from 'zod';
import { DomainError } from '../../errors.ts';
import type { Prisma, PrismaClient, UserRole } from '../../generated/prisma/client.ts';
import { nameProblems } from '../input/text.ts';
import { note } from './audit.ts';
import { FetchFailed, fetchBounded } from './bounded-fetch.ts';
import { userLimits } from './limits.ts';
import { sha256Of } from './secret.ts';
import { addUser, freeName } from './users.ts';
import { type Viewer, viewerOfToken } from './viewer.ts';

/** An identity provider whose tokens are accepted (OpenID Connect Core 1.0, RFC 9068). */
export type TokenIssuer = {
  /** As its tokens have it in `iss`. */
  readonly issuer: string;
  /** What its tokens must have in `aud`. */
  readonly audience: string;
  /** Where its keys are; found through the issuer's discovery document where left out. */
  readonly jwksUrl?: string | undefined;
  /** Claim with the role; a dot goes into an object: `realm_access.roles`. */
  readonly roleClaim: string;
  /** Values of that claim that make an administrator. */
  readonly adminRoles: readonly string[];
};

export type Tokens = {
  /** The viewer that a token names; the first one makes the user. @throws DomainError UNAUTHENTICATED, UNAVAILABLE */
  viewerOf(token: string): Promise<Viewer>;
};

/** Asymmetric ones alone: a secret that both sides know could sign tokens, and `none` signs nothing. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** Seconds by which the clocks of the issuer and this machine may differ. */
export const clockSkewSeconds = 30;
/** Time before keys are fetched again for a token whose key is unknown. */
const cooldownMs = 10_000;
/** The same where the provider did not answer. */
const failureMs = 2_000;

export function createTokens(
  client: PrismaClient,
  issuer: TokenIssuer,
  /** For tests; the issuer's own keys where left out. */
  keys: JWTVerifyGetKey = remoteKeys(issuer),
): Tokens {
  return {
    async viewerOf(token) {
      const claims = await verify(token, issuer, keys);
      const subject = JSON.stringify([claims.iss, claims.sub]);
      const expiresAt = new Date((claims.exp + clockSkewSeconds) * 1000);
      const role = roleOf(claims, issuer);
      const known = await viewerOfToken(client, { subject, expiresAt });
      if (known?.role === role) return known;
      await client.$transaction((tx) => keepUser(tx, { subject, role, name: nameOf(claims) }));
      const viewer = await viewerOfToken(client, { subject, expiresAt });
      if (viewer === null) throw refused('its user was removed');
      return viewer;
    },
  };
}

/** Of a user that is new, or has another role than its row says. */
async function keepUser(
  tx: Prisma.TransactionClient,
  { subject, role, name }: { subject: string; role: UserRole; name: string },
): Promise<void> {
  // Two first requests at once make one user.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${subject}, 0))`;
  const actor = { viewer: null, address: null };
  const row = await tx.user.findUnique({ where: { subject } });
  if (row === null) {
    await addUser(tx, actor, { subject, role, name: await freeName(tx, name) });
    return;
  }
  if (row.role === role || row.removedAt !== null) return;
  await tx.user.update({ where: { subject }, data: { role } });
  const details = { from: row.role, to: role, by: 'identity provider' };
  await note(tx, actor, { action: 'user.role', targetId: row.id, details });
}

/** The end of the year 9999, in seconds since 1970. */
const latestExp = 253_402_300_799;

const claimsShape = z.looseObject({
  iss: z.string(),
  sub: z.string().min(1).max(500),
  exp: z.number().min(0).max(latestExp),
});
type Claims = z.infer<typeof claimsShape>;

async function verify(
  token: string,
  { issuer, audience }: TokenIssuer,
  keys: JWTVerifyGetKey,
): Promise<Claims> {
  let payload: JWTPayload;
  try {
    ({ payload } = await jwtVerify(token, keys, {
      algorithms,
      issuer,
      audience,
      clockTolerance: clockSkewSeconds,
      requiredClaims: ['exp', 'sub'],
    }));
  } catch (error) {
    throw reasonOf(error);
  }
  const claims = claimsShape.safeParse(payload);
  if (!claims.success) throw refused('its claims are not those of OpenID Connect');
  return claims.data;
}

/** Never what is in the token: it may be a secret of somebody else. */
function reasonOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return refused('it has expired');
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(`its "${error.claim}" is not accepted`);
  if (error instanceof errors.JWKSTimeout || isUnreachable(error)) {
    const text = 'Expected the keys of the identity provider, but it does not answer';
    return new DomainError('UNAVAILABLE', text, { retryAfter: 5 }, { cause: error });
  }
  if (error instanceof errors.JOSEError)
    return refused('its signature, algorithm or form is not accepted');
  return error;
}

/** What `fetch` throws, and what `jose` makes of an answer that holds no keys. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof FetchFailed) return true;
  return error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC';
}

function refused(what: string): DomainError {
  return new DomainError('UNAUTHENTICATED', `Expected a valid token, but ${what}`);
}

/** A person's name, as far as it shows what it says; else one made of what the issuer calls it. */
function nameOf({ iss, sub, ...claims }: Claims): string {
  const isFine = (name: unknown): name is string =>
    typeof name === 'string' && nameProblems([], name, userLimits.name).length === 0;
  const shortened = (name: unknown) =>
    typeof name === 'string' ? [...name.trim()].slice(0, nameCharacters).join('') : name;
  const given = [claims['preferred_username'], claims['email'], claims['name'], sub];
  const mark = sha256Of(JSON.stringify([iss, sub])).slice(0, 12);
  return given.map(shortened).find(isFine) ?? `user ${mark}`;
}

/** A number may have to be put behind it, and a character may be two UTF-16 code units. */
const nameCharacters = 45;

function roleOf(claims: Claims, { roleClaim, adminRoles }: TokenIssuer): UserRole {
  // The name of a claim may be a URL, which has dots itself.
  const value = claims[roleClaim] ?? inside(claims, roleClaim.split('.'));
  const roles: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isAdmin = roles.some((role) => typeof role === 'string' && adminRoles.includes(role));
  return isAdmin ? 'ADMIN' : 'MEMBER';
}

function inside(object: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return object;
  if (typeof object !== 'object' || object === null) return undefined;
  return inside((object as Readonly<Record<string, unknown>>)[name], rest);
}

/** Found at the first token, so that a start does not depend on the identity provider. */
function remoteKeys({ issuer, jwksUrl }: TokenIssuer): JWTVerifyGetKey {
  const options = { cooldownDuration: cooldownMs, [customFetch]: fetchBounded };
  const find = async () =>
    createRemoteJWKSet(new URL(jwksUrl ?? (await discover(issuer))), options);
  let found: Promise<JWTVerifyGetKey> | null = null;
  let failure: { readonly error: unknown; readonly until: number } | null = null;
  return async (header, token) => {
    // A provider that does not answer is asked for one of many tokens, and then for a while for none.
    if (failure !== null && performance.now() < failure.until) throw failure.error;
    try {
      found ??= find();
      return await (await found)(header, token);
    } catch (error) {
      if (isUnreachable(error)) {
        failure = { error, until: performance.now() + failureMs };
        found = null;
      }
      throw error;
    }
  };
}

const discoveryShape = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** OpenID Connect Discovery 1.0, 4: the document must name the issuer that it was asked of. */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const answer = await fetchBounded(url);
  const document = discoveryShape.safeParse(await answer.json().catch(() => null));
  if (document.success && document.data.issuer === issuer) return document.data.jwks_uri;
  throw new FetchFailed(`Expected a discovery document of ${issuer} at ${url}, but got another`);
}
