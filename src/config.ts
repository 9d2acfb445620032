import type { z } from 'zod';
import { schema } from './config-keys.ts';
import type { searchLanguages } from './config-values.ts';
import { StartError } from './errors.ts';

/** What the environment says, checked and complete. */
export type Config = Readonly<{
  host: string;
  port: number;
  dataDir: string;
  modelsDir: string | undefined;
  databaseUrl: string | undefined;
  provider: z.infer<typeof schema>['PROVIDER'];
  threads: number;
  defaultModel: string;
  publicUrl: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  logLevel: z.infer<typeof schema>['LOG_LEVEL'];
  maxQueued: number;
  maxRunningPerUser: number | undefined;
  maxProjects: number;
  maxEvents: number;
  redisUrl: string | undefined;
  maxOpenWaits: number;
  maxOpenWaitsPerUser: number;
  isAccessRequired: boolean;
  oidc: ReturnType<typeof issuerOf>;
  linkKeys: readonly string[] | undefined;
  linkHours: number;
  maxStoredBytes: number | null;
  maxImagesPerDay: number | null;
  maxUploadBytes: number;
  maxUploadPixels: number;
  rateLimit: number;
  trustedProxies: readonly string[];
  metricsToken: string | undefined;
  introspection: boolean;
  allowedDocuments: string | undefined;
  auditRetentionDays: number;
  trashRetentionDays: number;
  searchLanguage: (typeof searchLanguages)[number];
  eventRetentionSeconds: number;
  stopTimeoutMs: number;
  crashAt: string | undefined;
}>;

/** Keys whose value may hold a password. */
const secrets: ReadonlySet<string> = new Set([
  'DATABASE_URL',
  'LINK_KEYS',
  'METRICS_TOKEN',
  'REDIS_URL',
]);

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** @throws StartError that lists every problem, not only the first. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => {
        const name = String(issue.path[0]);
        // What is no URL shows nowhere where its password begins.
        if (secrets.has(name)) return `${name} (not shown here): ${issue.message}`;
        const shown = (given[name] ?? '').replace(/\/\/[^\s]*@/, '//…@');
        return `${name} is "${shown}": ${issue.message}`;
      });
  if (parsed.success) problems.push(...problemsTogether(parsed.data));
  if (!parsed.success || problems.length > 0) {
    throw new StartError(`Expected a sound configuration, but ${problems.join('; and ')}`);
  }
  const c = parsed.data;
  return Object.freeze({
    host: c.HOST,
    port: c.PORT,
    dataDir: c.DATA_DIR,
    modelsDir: c.MODELS_DIR,
    databaseUrl: c.DATABASE_URL,
    provider: c.PROVIDER,
    threads: c.THREADS,
    defaultModel: c.DEFAULT_MODEL,
    publicUrl: c.PUBLIC_URL,
    allowedHosts: c.ALLOWED_HOSTS,
    allowedOrigins: c.ALLOWED_ORIGINS,
    logLevel: c.LOG_LEVEL,
    maxQueued: c.MAX_QUEUED,
    maxRunningPerUser: c.MAX_RUNNING_PER_USER,
    maxProjects: c.MAX_PROJECTS,
    maxEvents: c.MAX_EVENTS,
    redisUrl: c.REDIS_URL,
    maxOpenWaits: c.MAX_OPEN_WAITS,
    maxOpenWaitsPerUser: c.AUTH === 'required' ? c.MAX_OPEN_WAITS_PER_USER : c.MAX_OPEN_WAITS,
    isAccessRequired: c.AUTH === 'required',
    oidc: issuerOf(c),
    linkKeys: c.LINK_KEYS,
    linkHours: c.LINK_HOURS,
    maxStoredBytes: c.MAX_STORED_BYTES ?? null,
    maxImagesPerDay: c.MAX_IMAGES_PER_DAY ?? null,
    maxUploadBytes: c.MAX_UPLOAD_BYTES,
    maxUploadPixels: c.MAX_UPLOAD_PIXELS,
    rateLimit: c.RATE_LIMIT,
    trustedProxies: c.TRUSTED_PROXIES,
    metricsToken: c.METRICS_TOKEN,
    introspection: c.INTROSPECTION,
    allowedDocuments: c.ALLOWED_DOCUMENTS,
    auditRetentionDays: c.AUDIT_RETENTION_DAYS,
    trashRetentionDays: c.TRASH_RETENTION_DAYS,
    searchLanguage: c.SEARCH_LANGUAGE,
    eventRetentionSeconds: c.EVENT_RETENTION_SECONDS,
    stopTimeoutMs: c.STOP_TIMEOUT_SECONDS * 1000,
    crashAt: c.EASEL_CRASH_AT,
  });
}

type Values = z.infer<typeof schema>;

/** What no variable shows by itself. */
function problemsTogether(c: Values): string[] {
  const isOpen = c.AUTH === 'none' && !c.ALLOW_UNAUTHENTICATED;
  return [
    isOpen && !loopback.test(c.HOST)
      ? `HOST is "${c.HOST}": without authentication Easel listens on loopback only; set AUTH=required, or ALLOW_UNAUTHENTICATED=true where a proxy in front of it asks for a password`
      : '',
    c.OIDC_ISSUER !== undefined && c.OIDC_AUDIENCE === undefined
      ? 'OIDC_AUDIENCE is missing: without it, tokens that were issued for other programs would be accepted'
      : '',
    c.OIDC_ISSUER === undefined && (c.OIDC_AUDIENCE ?? c.OIDC_JWKS_URL) !== undefined
      ? 'OIDC_ISSUER is missing: its tokens name it in "iss"'
      : '',
    c.OIDC_ISSUER !== undefined && c.AUTH === 'none'
      ? 'AUTH is "none": with OIDC_ISSUER it must be "required"'
      : '',
  ].filter((problem) => problem !== '');
}

/** The identity provider, complete. */
function issuerOf(c: Values) {
  if (c.OIDC_ISSUER === undefined || c.OIDC_AUDIENCE === undefined) return undefined;
  return {
    issuer: c.OIDC_ISSUER,
    audience: c.OIDC_AUDIENCE,
    jwksUrl: c.OIDC_JWKS_URL,
    roleClaim: c.OIDC_ROLE_CLAIM,
    adminRoles: c.OIDC_ADMIN_ROLES,
  };
}
