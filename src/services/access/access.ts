import { DomainError } from '../../errors.ts';
import type { PrismaClient } from '../../generated/prisma/client.ts';
import { note } from './audit.ts';
import { createKeyUse } from './key-use.ts';
import { keyPrefix, sha256Of } from './secret.ts';
import type { Tokens } from './tokens.ts';
import { localViewer, type Viewer, viewerOfKey } from './viewer.ts';

/** Who an operation runs for. */
export type Access = {
  /** Whether a credential is asked for. */
  readonly isRequired: boolean;
  /**
   * `authorization`: as the header of that name has it; `address`: where it comes from.
   * @throws DomainError UNAUTHENTICATED; RATE_LIMITED where too many of an address failed
   */
  authenticate(asked: { authorization: string | undefined; address: string }): Promise<Viewer>;
};

/**
 * Counts what fails of an address. @throws DomainError RATE_LIMITED, where it is too often, in place of the reason: whoever
 * tries learns nothing, and the audit does not grow. Valid credentials of the same address are not affected.
 */
export type NoteFailure = (address: string) => Promise<void>;

/** Everybody is the one local user. */
export function openAccess(client: PrismaClient): Access {
  return { isRequired: false, authenticate: () => localViewer(client) };
}

export function requiredAccess(deps: {
  client: PrismaClient;
  /** Null where no identity provider is configured. */
  tokens: Tokens | null;
  failed: NoteFailure;
  onError: (error: unknown) => void;
}): Access {
  const { client, tokens, failed, onError } = deps;
  const used = createKeyUse(client, onError);

  async function viewerOf(authorization: string | undefined): Promise<Viewer> {
    const credential = bearerOf(authorization);
    if (!credential.startsWith(keyPrefix)) {
      if (tokens === null) throw notAKey();
      return tokens.viewerOf(credential);
    }
    const viewer = await viewerOfKey(client, sha256Of(credential));
    if (viewer === null) throw badKey();
    used(viewer);
    return viewer;
  }

  return {
    isRequired: true,
    async authenticate({ authorization, address }) {
      try {
        return await viewerOf(authorization);
      } catch (error) {
        if (error instanceof DomainError && error.code === 'UNAUTHENTICATED') {
          await failed(address);
          if (authorization !== undefined) await noteFailure(client, address, error);
        }
        throw error;
      }
    },
  };
}

/** Longest credential that is looked at: tokens of some identity providers are several kilobytes long. */
const longestCredential = 16_000;

/** RFC 6750, 2.1. @throws DomainError */
function bearerOf(authorization: string | undefined): string {
  const [, credential] = /^bearer +([\w.~+/=-]+)$/i.exec(authorization?.trim() ?? '') ?? [];
  if (credential !== undefined && credential.length <= longestCredential) return credential;
  const got = authorization === undefined ? 'none' : 'something else';
  throw unauthenticated(
    `Expected the header "Authorization: Bearer <key or token>", but got ${got}`,
  );
}

/** One answer for keys that never were, were revoked, or have expired. */
function badKey(): DomainError {
  return unauthenticated('Expected an API key that is valid, but got one that is not');
}

function notAKey(): DomainError {
  return unauthenticated(
    `Expected an API key, which begins with "${keyPrefix}", but got something else`,
  );
}

function unauthenticated(text: string): DomainError {
  return new DomainError('UNAUTHENTICATED', text);
}

function noteFailure(client: PrismaClient, address: string, { message }: DomainError) {
  const details = { reason: message };
  return note(client, { viewer: null, address }, { action: 'sign-in.fail', details });
}
