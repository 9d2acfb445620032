import { LRUCache } from 'lru-cache';

/** The last used results of long work, each made once, also where several ask for it at the same time. */
export type KeptResults<T> = {
  /** From those kept, from who is making it, or by `make`. @throws what `make` throws */
  of(key: string, make: () => Promise<T>): Promise<T>;
};

export function keepResults<T extends object>(
  maxBytes: number,
  bytesOf: (result: T) => number,
): KeptResults<T> {
  const kept = new LRUCache<string, T>({
    maxSize: maxBytes,
    sizeCalculation: (result) => bytesOf(result) + 1,
  });
  const underWay = new Map<string, Promise<T>>();
  return {
    async of(key, make) {
      for (;;) {
        const known = kept.get(key);
        if (known !== undefined) return known;
        const others = underWay.get(key);
        if (others === undefined) break;
        // Who is making it may be cancelled: then the next one that waits makes it.
        const made = await others.catch(() => null);
        if (made !== null) return made;
      }
      const making = make().finally(() => underWay.delete(key));
      underWay.set(key, making);
      const result = await making;
      kept.set(key, result);
      return result;
    },
  };
}
