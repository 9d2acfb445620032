import type { PGlite } from '@electric-sql/pglite';

/** First bytes of the protocol's messages that open, or go on with, a sequence; Sync (S) or Query (Q) ends it. */
const within: ReadonlySet<number> = new Set([...'PBDECH'].map((letter) => letter.charCodeAt(0)));

/**
 * The database as its socket sees it, made safe for several connections. There is one session for all of them,
 * and the socket handles messages in the order in which they come, so that the Parse of one connection and the
 * Bind of another met ("bind message supplies 4 parameters, but prepared statement requires 1"). It serves
 * one connection alone while `isInTransaction`, which is therefore true in the middle of a sequence, too.
 * @param onFault called with errors of the database itself, after which the socket would give no more answers
 */
export function inWholeSequences(db: PGlite, onFault: (error: unknown) => never): PGlite {
  let isWithin = false;
  const changed: Partial<PGlite> = {
    isInTransaction: () => isWithin || db.isInTransaction(),
    async execProtocolRawStream(message, options) {
      isWithin = within.has(message[0] ?? 0);
      await db.execProtocolRawStream(message, options).catch(onFault);
    },
    /** Called with ROLLBACK where a connection ended in the middle; other connections wait until it is done. */
    async exec(query, options) {
      isWithin = true;
      const results = await db.exec(query, options);
      // After an error the session skips all up to the next Sync, a ROLLBACK too: PGlite sends one behind it.
      if (db.isInTransaction()) await db.exec(query, options);
      isWithin = false;
      return results;
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
