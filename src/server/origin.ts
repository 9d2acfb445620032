import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { clipped, DomainError } from '../errors.ts';
import type { Log } from './log.ts';

/**
 * A web page that somebody visits must not be able to use a local Easel. CORS and CSRF checks do not cover WebSockets,
 * and with DNS rebinding the page's own name resolves to 127.0.0.1: so `Host` and `Origin` of every request and every
 * upgrade are checked before anything else.
 */
export type OriginRules = {
  /** Names under which this server is reached, beside those of the loopback. Lower case, without port. */
  readonly hosts: ReadonlySet<string>;
  /** Origins of other pages that may use it, for example `http://localhost:5173`. */
  readonly origins: ReadonlySet<string>;
};

export class ForeignHost extends DomainError {
  constructor(got: string) {
    super(
      'FORBIDDEN',
      `Expected a Host of this server, but got "${clipped(got)}": add its name to ALLOWED_HOSTS`,
    );
  }
}

export class ForeignOrigin extends DomainError {
  readonly origin: string;

  constructor(got: string) {
    const origin = clipped(got);
    super(
      'FORBIDDEN',
      `Expected an Origin that may use this server, but got "${origin}"${origin === 'null' ? ', as pages of files and sandboxes have it' : ': add it to ALLOWED_ORIGINS'}`,
    );
    this.origin = origin;
  }
}

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

export type Caller = {
  /** As the client wrote it, with its port. */
  readonly host: string;
  /** Null where the request does not come from a page. */
  readonly origin: string | null;
};

/** Checks the `Host` and `Origin` of a request. @throws ForeignHost, ForeignOrigin */
export type CheckOrigin = (request: IncomingMessage) => Caller;

/** Each foreign origin is logged once: what its page shows of the refusal says nothing of the configuration. */
export function createOriginCheck(rules: OriginRules, log: Log): CheckOrigin {
  const warned = new LRUCache<string, true>({ max: 1_000 });
  return (request) => {
    try {
      return checkOrigin(request, rules);
    } catch (error) {
      if (error instanceof ForeignOrigin && !warned.has(error.origin)) {
        warned.set(error.origin, true);
        log.warn(error.message);
      }
      throw error;
    }
  };
}

/**
 * Of a query by GET, which a page may send without being asked to name its origin: `<img>`, `<script>`, a link. Browsers
 * say then that it comes from another site. Origins that are allowed send `Origin`, which was checked.
 * @throws DomainError
 */
export function checkFetchSite({ headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  if (headers.origin !== undefined) return;
  throw new DomainError(
    'FORBIDDEN',
    `Expected a request of this server's own page, of an allowed origin that names itself, or of no page, but got one of another page ("${clipped(String(site))}")`,
  );
}

function checkOrigin(request: IncomingMessage, rules: OriginRules): Caller {
  if (hostsOf(request).length > 1) throw new ForeignHost(hostsOf(request).join('", "'));
  const host = (request.headers.host ?? '').toLowerCase();
  const name = hostname(host);
  if (name === null || !(loopback.has(name) || rules.hosts.has(name))) throw new ForeignHost(host);
  const origin = request.headers.origin?.toLowerCase() ?? null;
  if (origin !== null && !isOwn(origin, host) && !rules.origins.has(origin)) {
    throw new ForeignOrigin(origin);
  }
  return { host, origin };
}

/** More than one is an attempt to have two programs disagree (RFC 9112, 3.2); Node's own field has the first. */
function hostsOf({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && /^host$/i.test(rawHeaders[i - 1] ?? ''));
}

/** A page that this server itself sent, behind a proxy that speaks TLS or not. */
function isOwn(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** Null for what is no `name[:port]`. */
function hostname(host: string): string | null {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/.exec(host)?.[1] ?? null;
}
