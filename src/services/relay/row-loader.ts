import DataLoader from 'dataloader';
import { isUuid } from './global-id.ts';

/**
 * Loads one value per row id. What is asked for in one turn of the event loop, by whatever operation, is one
 * query; nothing is kept after it, so nobody gets an older row. It knows no viewer: who may see the value is
 * checked by the caller, for each viewer.
 */
export function rowLoader<Value>(
  load: (ids: readonly string[]) => Promise<Map<string, Value>>,
  missing: Value,
): (id: string) => Promise<Value> {
  const loader = new DataLoader<string, Value>(
    async (ids) => {
      const values = await load([...new Set(ids)].filter(isUuid));
      return ids.map((id) => values.get(id) ?? missing);
    },
    { cache: false, maxBatchSize: 500 },
  );
  return (id) => loader.load(id);
}

/** Rows by their id. */
export function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}
