import { availableParallelism } from 'node:os';
import { z } from 'zod';
import {
  databaseUrl,
  flag,
  hosts,
  linkKeys,
  list,
  origins,
  proxies,
  searchLanguages,
  whole,
} from './config-values.ts';
import { providers } from './inference/request.ts';

/** Every variable that Easel reads; what each is for is its description, which the README's table repeats. */
export const schema = z.object({
  HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  PORT: whole(0, 65_535).default(4000).describe('Port to listen on; 0 takes a free one.'),
  DATA_DIR: z
    .string()
    .min(1)
    .default('data')
    .describe('Folder of the embedded database and the images.'),
  MODELS_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of further model folders, beside the embedded one.'),
  DATABASE_URL: databaseUrl
    .optional()
    .describe('A PostgreSQL server (15 or later) in place of the embedded database.'),
  PROVIDER: z
    .enum(providers)
    .default('auto')
    .describe('What the networks run on: auto takes the best that passes its self-test.'),
  THREADS: whole(1, 1024)
    .default(availableParallelism())
    .describe('Threads of one network run; all cores by default.'),
  DEFAULT_MODEL: z
    .string()
    .min(1)
    .default('easel-mini')
    .describe('Name of the model of a request that names none.'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional()
    .describe(
      'How clients reach this server, where that is not its own address; links start with it.',
    ),
  ALLOWED_HOSTS: hosts
    .default([])
    .describe(
      'Further names that the Host header may carry, with commas between; loopback names always may.',
    ),
  ALLOWED_ORIGINS: origins
    .default([])
    .describe('Web pages of these origins may call the API, for example http://localhost:5173.'),
  ALLOW_UNAUTHENTICATED: flag
    .default(false)
    .describe(
      'Listen beyond loopback without authentication: only behind a proxy that has its own.',
    ),
  AUTH: z
    .enum(['none', 'required'])
    .default('none')
    .describe(
      'With "required", every request needs an API key or a token of OIDC_ISSUER; the first key is made by "npm run keys -- create --admin".',
    ),
  OIDC_ISSUER: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .optional()
    .describe('Identity provider whose tokens are accepted, as they have it in "iss".'),
  OIDC_AUDIENCE: z
    .string()
    .min(1)
    .optional()
    .describe('What its tokens must have in "aud"; needed with OIDC_ISSUER.'),
  OIDC_JWKS_URL: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .optional()
    .describe('Where the keys of the identity provider are, where it has no discovery document.'),
  OIDC_ROLE_CLAIM: z
    .string()
    .min(1)
    .default('roles')
    .describe('Claim with the roles of a user; a dot goes into an object: realm_access.roles.'),
  OIDC_ADMIN_ROLES: list
    .default(['easel-admin'])
    .describe('Values of that claim that make an administrator, with commas between.'),
  LINK_KEYS: linkKeys
    .optional()
    .describe(
      'Keys of signed links: the first signs, all verify. Needed where several processes serve; else they are in the data folder.',
    ),
  LINK_HOURS: whole(1, 8_760)
    .default(48)
    .describe('Longest validity of a signed link; it is at least half of that.'),
  MAX_STORED_BYTES: whole(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Bytes of images that one user may have stored; no limit by default.'),
  MAX_UPLOAD_BYTES: whole(1_000, 1_000_000_000)
    .default(50_000_000)
    .describe('Bytes of one uploaded file.'),
  MAX_UPLOAD_PIXELS: whole(1, 400_000_000)
    .default(50_000_000)
    .describe('Pixels of one uploaded image.'),
  MAX_IMAGES_PER_DAY: whole(1, 1_000_000)
    .optional()
    .describe('Images that one user may request in a day (UTC); no limit by default.'),
  RATE_LIMIT: whole(0, 1_000_000)
    .default(3_000)
    .describe(
      'Operations of one key or user in a minute, and requests of one address, where access is required; 0: no limit.',
    ),
  TRUSTED_PROXIES: proxies
    .default([])
    .describe('Proxies whose X-Forwarded-For is believed, with commas between.'),
  METRICS_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe(
      'Bearer token for /metrics where access is required; without it, that page is for loopback only.',
    ),
  INTROSPECTION: flag.default(true).describe('Whether clients may read the schema.'),
  ALLOWED_DOCUMENTS: z
    .string()
    .min(1)
    .optional()
    .describe(
      'JSON file of the GraphQL documents that clients may send, by their SHA-256; all others are refused.',
    ),
  AUDIT_RETENTION_DAYS: whole(1, 36_500).default(365).describe('How long the audit is kept.'),
  TRASH_RETENTION_DAYS: whole(1, 36_500)
    .default(30)
    .describe('How long things stay in the trash before they are deleted for good.'),
  SEARCH_LANGUAGE: z
    .enum(searchLanguages)
    .default('english')
    .describe(`Language of prompts and titles, for the search: ${searchLanguages.join(', ')}.`),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severity that is logged.'),
  MAX_QUEUED: whole(1, 100_000)
    .default(500)
    .describe('Generations that one user may have waiting.'),
  MAX_RUNNING_PER_USER: whole(1, 1_000)
    .optional()
    .describe('Generations that one user may have running; no limit by default.'),
  MAX_PROJECTS: whole(1, 1_000_000)
    .default(10_000)
    .describe('Projects that one user may have, those in the trash included.'),
  MAX_EVENTS: whole(1_000, 100_000_000)
    .default(1_000_000)
    .describe('Events that are kept of one user: the newest.'),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'expected a URL that starts with redis:// or rediss://' })
    .optional()
    .describe(
      'Redis server that counts for the rate limits, where several processes serve; else each process counts for itself.',
    ),
  MAX_OPEN_WAITS_PER_USER: whole(0, 10_000)
    .default(16)
    .describe('The same of one user, where access is required.'),
  MAX_OPEN_WAITS: whole(0, 10_000)
    .default(64)
    .describe('Requests with waitSeconds that may be open at once.'),
  EVENT_RETENTION_SECONDS: whole(60, 31_536_000)
    .default(604_800)
    .describe('How long the event log is kept for subscribers that come back.'),
  STOP_TIMEOUT_SECONDS: whole(1, 300)
    .default(12)
    .describe('How long a stop waits for the network run at hand.'),
  EASEL_CRASH_AT: z
    .string()
    .optional()
    .describe('For tests of recovery: the named point at which the process ends itself.'),
});

/** Name, default and reason of every variable, in order: what the README's table is made of. */
export const configKeys = Object.entries(schema.shape).map(([name, type]) => {
  const standard = type.safeParse(undefined);
  return {
    name,
    standard: name === 'THREADS' || !standard.success ? undefined : standard.data,
    reason: type.description ?? '',
  };
});
