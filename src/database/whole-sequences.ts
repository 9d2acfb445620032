import type { PGlite } from '@electric-sql/pglite';

/** First bytes of the protocol's messages that open, or go on with, a sequence; Sync (S) or Query (Q) ends it. */
const within: ReadonlySet<number> = new Set([...'PBDECH'].map((letter) => letter.charCodeAt(0)));

/**
 * The database as its socket sees it, made safe for several connections. There is one session behind them all,
 * and the socket takes message after message from whoever has one, so that the Parse of one connection and the
 * Bind of another met ("bind message supplies 4 parameters, but prepared statement requires 1"). It lets a
 * connection go on alone while `isInTransaction`: so that says yes in the middle of a sequence, too.
 */
export function inWholeSequences(db: PGlite): PGlite {
  let isWithin = false;
  const changed: Partial<PGlite> = {
    isInTransaction: () => isWithin || db.isInTransaction(),
    execProtocolRawStream(message, options) {
      isWithin = within.has(message[0] ?? 0);
      return db.execProtocolRawStream(message, options);
    },
    /** Called where a connection ended in the middle. */
    exec(query, options) {
      isWithin = false;
      return db.exec(query, options);
    },
  };
  return new Proxy(db, {
    get(target, name) {
      const own = Reflect.get(changed, name);
      if (own !== undefined) return own;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
