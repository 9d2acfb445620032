import pg from 'pg';

export type LoggedQuery = { readonly text: string; readonly values: readonly unknown[] };

/** Runs `work` and gives every statement that reached the database meanwhile, bookkeeping of transactions aside. */
export async function loggingQueries(work: () => Promise<unknown>): Promise<LoggedQuery[]> {
  const queries: LoggedQuery[] = [];
  const original = pg.Client.prototype.query;
  pg.Client.prototype.query = function query(this: pg.Client, ...args: unknown[]) {
    const [config, values] = args as [string | { text: string; values?: unknown[] }, unknown[]?];
    const text = typeof config === 'string' ? config : config.text;
    const given = typeof config === 'string' ? values : (config.values ?? values);
    if (!/^\s*(BEGIN|COMMIT|ROLLBACK|SET)\b/i.test(text)) {
      queries.push({ text, values: Array.isArray(given) ? given : [] });
    }
    return Reflect.apply(original, this, args);
  } as typeof original;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = original;
  }
  return queries;
}
