import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { StartError } from './errors.ts';
import { providers } from './inference/request.ts';

const flag = z
  .enum(['true', 'false', '1', '0'], { error: 'expected true or false' })
  .transform((value) => value === 'true' || value === '1');

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/** As a browser writes it in `Origin`: without path, without the port that goes without saying. */
const origins = list.transform((parts, context) =>
  parts.map((part) => {
    const isOrigin = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+\/?$/i.test(part) && URL.canParse(part);
    if (isOrigin) {
      const { protocol, origin } = new URL(part);
      return /^https?:$/.test(protocol) ? origin : part.toLowerCase().replace(/\/$/, '');
    }
    const message = `expected scheme and host, such as http://localhost:5173, but "${part}" is not`;
    context.addIssue({ code: 'custom', message });
    return part;
  }),
);

const hosts = list.transform((parts, context) => {
  for (const part of parts) {
    if (/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i.test(part)) continue;
    const message = `expected names without scheme and port, such as easel.example.com, but "${part}" is not`;
    context.addIssue({ code: 'custom', message });
  }
  return parts.map((part) => part.toLowerCase());
});

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `expected a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `expected at least ${min}`).max(max, `expected at most ${max}`));

/** Every variable that Easel reads; what each is for is its description, which the README's table repeats. */
const schema = z.object({
  HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  PORT: whole(0, 65_535).default(4000).describe('Port to listen on; 0 takes a free one.'),
  DATA_DIR: z
    .string()
    .min(1)
    .default('data')
    .describe('Folder of the embedded database and the pictures.'),
  MODELS_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of further model folders, beside the embedded one.'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected a URL that starts with postgresql://')
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
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severity that is logged.'),
  MAX_QUEUED: whole(1, 100_000)
    .default(500)
    .describe('Generations that one user may have waiting.'),
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
  maxOpenWaits: number;
  eventRetentionSeconds: number;
  stopTimeoutMs: number;
  crashAt: string | undefined;
}>;

/** Name, default and reason of every variable, in order: what the README's table is made of. */
export const configKeys = Object.entries(schema.shape).map(([name, type]) => {
  const standard = type.safeParse(undefined);
  return {
    name,
    standard: name === 'THREADS' || !standard.success ? undefined : standard.data,
    reason: type.description ?? '',
  };
});

/** Keys whose value may hold a password. */
const secrets: ReadonlySet<string> = new Set(['DATABASE_URL']);

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
  if (parsed.success && !parsed.data.ALLOW_UNAUTHENTICATED && !loopback.test(parsed.data.HOST)) {
    problems.push(
      `HOST is "${parsed.data.HOST}": without authentication Easel listens on loopback only; set ALLOW_UNAUTHENTICATED=true where a proxy in front of it asks for a password`,
    );
  }
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
    maxOpenWaits: c.MAX_OPEN_WAITS,
    eventRetentionSeconds: c.EVENT_RETENTION_SECONDS,
    stopTimeoutMs: c.STOP_TIMEOUT_SECONDS * 1000,
    crashAt: c.EASEL_CRASH_AT,
  });
}
