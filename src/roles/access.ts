import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import { createRateLimits, noRateLimits, type RateLimits } from '../server/rate-limits.ts';
import { type Access, openAccess, requiredAccess } from '../services/access/access.ts';
import { sha256Of } from '../services/access/secret.ts';
import { createSessions, type Sessions } from '../services/access/sessions.ts';
import { createTokens } from '../services/access/tokens.ts';
import { type LinkKeys, linkKeysIn } from '../services/library/link-keys.ts';
import type { Adapters } from './adapters.ts';

/** Who may use this installation, as it is configured. */
export async function openAccessOf({
  config,
  database: { client },
  log,
  closing,
}: Adapters): Promise<Access & { readonly sessions: Sessions; readonly rateLimits: RateLimits }> {
  const onError = (error: unknown) => log.error({ err: error }, 'looking at credentials failed');
  const sessions = createSessions({ client, onError });
  closing.push(() => sessions.close());
  if (!config.isAccessRequired) {
    return { ...openAccess(client), sessions, rateLimits: noRateLimits };
  }
  const redis = config.redisUrl === undefined ? null : await openRedis(config.redisUrl, log);
  if (redis !== null) closing.push(() => redis.disconnect());
  const rateLimits = createRateLimits(config.rateLimit, redis);
  const tokens = config.oidc ? createTokens(client, config.oidc) : null;
  const access = requiredAccess({ client, tokens, failed: rateLimits.failed, onError });
  return { ...access, sessions, rateLimits };
}

/** Connects in the background, again and again; a command is not kept for later. */
async function openRedis(url: string, log: Adapters['log']): Promise<Redis> {
  const { Redis } = await import('ioredis'); // Not loaded where it is not used.
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 500,
    retryStrategy: (attempt) => Math.min(attempt * 200, 5_000),
  });
  let isLost = false;
  redis.on('error', (error: Error) => {
    if (!isLost) log.warn({ err: error }, 'Redis does not answer: rate limits are counted here');
    isLost = true;
  });
  redis.on('ready', () => {
    if (isLost) log.info('Redis answers again');
    isLost = false;
  });
  return redis;
}

/**
 * As they are configured, else those of the data folder. An earlier version kept its one key in the database, where every
 * backup has it: it is taken out of there. @throws StartError
 */
export async function linkKeysOf({
  config,
  client,
}: {
  config: Pick<Config, 'linkKeys' | 'dataDir'>;
  client: Adapters['database']['client'];
}): Promise<LinkKeys> {
  const { linkKeys: configured } = config;
  if (configured !== undefined) return () => configured;
  const { linkSecret } = await client.installation.findUniqueOrThrow({ where: { id: 1 } });
  const keys = linkKeysIn(resolve(config.dataDir), linkSecret);
  if (linkSecret !== null) {
    await client.installation.update({ where: { id: 1 }, data: { linkSecret: null } });
  }
  return keys;
}

/** Where access is required: from this machine itself, or with the token. */
export function metricsRule({
  isAccessRequired,
  metricsToken,
}: Pick<Config, 'isAccessRequired' | 'metricsToken'>): (request: IncomingMessage) => boolean {
  if (!isAccessRequired) return () => true;
  return ({ headers, socket }) => {
    if (metricsToken === undefined)
      return isLoopback(socket.remoteAddress) && !isForwarded(headers);
    return isSame(headers.authorization ?? '', `Bearer ${metricsToken}`);
  };
}

/** A proxy on this machine passes on what comes from elsewhere. */
function isForwarded(headers: IncomingMessage['headers']): boolean {
  return headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
}

function isLoopback(address = ''): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

/** In the same time, whatever they have in common. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(sha256Of(a)), Buffer.from(sha256Of(b)));
}
