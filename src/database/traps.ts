import type { PGlite } from '@electric-sql/pglite';

/** How PostgreSQL leaves its main loop where a statement has failed: no more than that. */
const statementFailed = 100;

/**
 * Sees what PostgreSQL as such dies of, a stack that overflows for example, before it does anything else. PGlite
 * takes it for a statement that has failed and goes on with half a transaction: whoever asked waits for ever, and
 * later answers are wrong.
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
