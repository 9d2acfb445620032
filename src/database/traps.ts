import type { PGlite } from '@electric-sql/pglite';

/** Exit status of PostgreSQL's main loop after a statement that has failed. */
const statementFailed = 100;

/**
 * Calls `onTrap` for errors that PostgreSQL itself dies of, a stack overflow for example. PGlite takes them for a
 * statement that has failed and goes on in the middle of a transaction: clients wait for ever, and later answers are wrong.
 */
export function watchForTraps(db: PGlite, onTrap: (trap: unknown) => never): void {
  const module: unknown = Reflect.get(db, 'mod');
  if (!isModule(module)) throw new Error('Expected PGlite to show its main loop, but it does not');
  const runOnce = module._PostgresMainLoopOnce;
  module._PostgresMainLoopOnce = () => {
    try {
      runOnce();
    } catch (error) {
      if (Object(error).status !== statementFailed) onTrap(error);
      throw error;
    }
  };
}

function isModule(value: unknown): value is { _PostgresMainLoopOnce: () => void } {
  return typeof Object(value)._PostgresMainLoopOnce === 'function';
}
