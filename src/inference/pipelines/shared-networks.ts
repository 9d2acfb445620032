/** A network in use; it stays loaded until all that use it have released it. */
export type NetworkLease<T> = { readonly network: T; release(): Promise<void> };

type Releasable = { release(): Promise<void> };

export type SharedNetworks = {
  /** The loaded network of this identity, or the one that `load` gives. @throws what `load` throws */
  acquire<T extends Releasable>(identity: string, load: () => Promise<T>): Promise<NetworkLease<T>>;
};

type Entry = { users: number; readonly loading: Promise<Releasable> };

/** Networks by what they are made of: models that share a text encoder load it once. */
export function createSharedNetworks(): SharedNetworks {
  const entries = new Map<string, Entry>();

  async function leave(identity: string, entry: Entry): Promise<void> {
    entry.users--;
    if (entry.users > 0) return;
    if (entries.get(identity) === entry) entries.delete(identity);
    const network = await entry.loading.catch(() => null); // What never loaded has nothing to release.
    await network?.release();
  }

  return {
    async acquire<T extends Releasable>(identity: string, load: () => Promise<T>) {
      const entry = entries.get(identity) ?? { users: 0, loading: load() };
      entries.set(identity, entry);
      entry.users++;
      try {
        // Of one identity, all are made by the same `load`.
        const network = (await entry.loading) as T;
        return { network, release: () => leave(identity, entry) };
      } catch (error) {
        await leave(identity, entry);
        throw error;
      }
    },
  };
}
