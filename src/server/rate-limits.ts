import type { IncomingMessage } from 'node:http';
import type { Redis } from 'ioredis';
import proxyaddr from 'proxy-addr';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { DomainError } from '../errors.ts';
import type { NoteFailure } from '../services/access/access.ts';
import type { Viewer } from '../services/access/viewer.ts';
import { accessLimits } from './limits.ts';

/** How often a credential, or an address, may ask. */
export type RateLimits = {
  /** One operation of a viewer. @throws DomainError RATE_LIMITED */
  operation(viewer: Viewer): Promise<void>;
  /** One request of an address. @throws DomainError RATE_LIMITED */
  request(address: string): Promise<void>;
  readonly failed: NoteFailure;
};

const minute = 60;

/**
 * `perMinute`: of each credential, and ten times as many of each address, behind which several may be; 0: no limit. Counted
 * in Redis for all processes together, in this process while it does not answer or where there is none.
 */
export function createRateLimits(perMinute: number, redis: Redis | null): RateLimits {
  const limiter = limiterIn(redis);
  const credentials = perMinute > 0 ? limiter('credential', perMinute) : null;
  const addresses =
    perMinute > 0 ? limiter('address', perMinute * accessLimits.credentialsOfAddress) : null;
  const failures = limiter('failure', accessLimits.failuresPerMinute);
  return {
    operation: async ({ id, credential }) => {
      if (credential.kind === 'none') return;
      const key = credential.kind === 'key' ? credential.keyId : id;
      await take(credentials, key, `operations of one ${credential.kind} in a minute`);
    },
    request: (address) => take(addresses, address, 'requests of one address in a minute'),
    failed: (address) => take(failures, address, 'failed sign-ins of one address in a minute'),
  };
}

/** None where no credential is asked for: then everybody is on this machine. */
export const noRateLimits: RateLimits = {
  operation: async () => {},
  request: async () => {},
  failed: async () => {},
};

type Limiter = RateLimiterMemory | RateLimiterRedis;

function limiterIn(redis: Redis | null): (what: string, points: number) => Limiter {
  return (what, points) => {
    const options = { points, duration: minute, keyPrefix: `easel:rate:${what}` };
    const own = new RateLimiterMemory(options);
    if (redis === null) return own;
    return new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: own });
  };
}

async function take(limits: Limiter | null, key: string, what: string): Promise<void> {
  try {
    await limits?.consume(key);
  } catch (reached) {
    if (reached instanceof RateLimiterRes) throw tooMany(reached, what, limits?.points ?? 0);
    throw reached;
  }
}

function tooMany({ msBeforeNext }: RateLimiterRes, what: string, max: number): DomainError {
  const retryAfter = Math.max(1, Math.ceil(msBeforeNext / 1000));
  return new DomainError('RATE_LIMITED', `Expected at most ${max} ${what}, but got more`, {
    max,
    retryAfter,
  });
}

export type AddressOf = (request: IncomingMessage) => string;

/** The client's address; of proxies that are trusted, the one that they name in X-Forwarded-For. */
export function addressOf(trustedProxies: readonly string[]): AddressOf {
  const trust = proxyaddr.compile([...trustedProxies]);
  return (request) => proxyaddr(request, trust);
}
