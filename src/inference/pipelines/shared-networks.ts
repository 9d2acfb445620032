/** A network in use; it stays loaded until all that use it have released it. */
export type NetworkLease<T> = { readonly network: T; release(): void };

type Releasable = { release(): Promise<void> };

export type SharedNetworks = {
  /** The loaded network of this identity, or the one that `load` gives. @throws what `load` throws */
  acquire<T extends Releasable>(identity: string, load: () => Promise<T>): Promise<NetworkLease<T>>;
  /** Keeps those of these networks that are loaded, until the returned function is called. */
  reserve(identities: readonly string[]): () => void;
  /** Lets go of the networks that nothing uses. */
  trim(): Promise<void>;
};

type Entry = { users: number; readonly loading: Promise<Releasable> };

/**
 * Networks by what they are made of: models that share a text encoder load it once. One that is no
 * longer used stays until `trim`, so that the next model can take it over.
 */
export function createSharedNetworks(): SharedNetworks {
  const entries = new Map<string, Entry>();
  return {
    async acquire<T extends Releasable>(identity: string, load: () => Promise<T>) {
      const entry = entries.get(identity) ?? { users: 0, loading: load() };
      entries.set(identity, entry);
      entry.users++;
      const release = () => {
        entry.users--;
      };
      try {
        // Of one identity, all are made by the same `load`.
        return { network: (await entry.loading) as T, release };
      } catch (error) {
        release();
        if (entries.get(identity) === entry) entries.delete(identity);
        throw error;
      }
    },
    reserve(identities) {
      const kept = identities.flatMap((identity) => entries.get(identity) ?? []);
      for (const entry of kept) entry.users++;
      return () => {
        for (const entry of kept) entry.users--;
      };
    },
    async trim() {
      const unused = [...entries].filter(([, { users }]) => users === 0);
      for (const [identity] of unused) entries.delete(identity);
      await Promise.all(unused.map(async ([, { loading }]) => (await loading).release()));
    },
  };
}
