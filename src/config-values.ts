import { isIP } from 'node:net';
import { z } from 'zod';

export const flag = z
  .enum(['true', 'false', '1', '0'], { error: 'expected true or false' })
  .transform((value) => value === 'true' || value === '1');

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/** As a browser writes it in `Origin`: without path, without the port that goes without saying. */
export const origins = list.transform((parts, context) =>
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

export const hosts = list.transform((parts, context) => {
  for (const part of parts) {
    if (/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i.test(part)) continue;
    const message = `expected names without scheme and port, such as easel.example.com, but "${part}" is not`;
    context.addIssue({ code: 'custom', message });
  }
  return parts.map((part) => part.toLowerCase());
});

export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `expected a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `expected at least ${min}`).max(max, `expected at most ${max}`));

/** As `proxy-addr` takes them. */
export const proxies = list.transform((parts, context) => {
  for (const part of parts.filter((one) => !isProxy(one))) {
    const message = `expected addresses or networks such as 10.0.0.0/8, or the word loopback, but "${part}" is not`;
    context.addIssue({ code: 'custom', message });
  }
  return parts;
});

function isProxy(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const isNetwork = bits === undefined || /^\d{1,3}$/.test(bits);
  return more.length === 0 && isNetwork && isIP(address) !== 0;
}

/** Keys that sign links: 256 bits or more, so that nobody guesses them. */
export const linkKeys = list.transform((keys, context) => {
  if (keys.length === 0 || !keys.every((key) => /^[0-9a-f]{64,}$/.test(key))) {
    const message = 'expected keys of at least 64 small hexadecimal digits, with commas between';
    context.addIssue({ code: 'custom', message });
  }
  return keys;
});

/**
 * A password with characters that mean something in a URL makes another one of it, or none: then part of it would be taken for a
 * host or a path, and shown.
 */
export const databaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, 'expected a URL that starts with postgresql://')
  .refine((url) => URL.canParse(url) && /^\/?[^/@:]*$/.test(new URL(url).pathname), {
    error:
      'expected postgresql://user:password@host:port/database, with / ? # @ : and % of the password percent-encoded',
  });

/** Text search configurations that PostgreSQL 15 has; `simple` knows no language, and takes words as they are. */
export const searchLanguages = [
  ...['simple', 'arabic', 'armenian', 'basque', 'catalan', 'danish', 'dutch', 'english', 'finnish'],
  ...['french', 'german', 'greek', 'hindi', 'hungarian', 'indonesian', 'irish', 'italian'],
  ...['lithuanian', 'nepali', 'norwegian', 'portuguese', 'romanian', 'russian', 'serbian'],
  ...['spanish', 'swedish', 'tamil', 'turkish', 'yiddish'],
] as const;
