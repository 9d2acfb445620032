import type { PreviewsWantedMessage, Scope } from '../../events/events.ts';

/** What a generation is covered by: itself, its project, its owner. */
export type Covered = {
  readonly id: string;
  readonly projectId: string;
  readonly ownerId: string;
};

export type PreviewLeases = {
  /** Takes, renews or ends a lease. */
  receive(message: PreviewsWantedMessage): void;
  /** Least number of milliseconds between two frames that a viewer wants; null where none wants any. */
  everyMsFor(generation: Covered): number | null;
  /** Called after each change, the end of a lease included. */
  onChange(listener: () => void): () => void;
  close(): void;
};

type Lease = {
  readonly scope: Scope;
  readonly everyMs: number;
  readonly timer: NodeJS.Timeout;
};

/**
 * Which previews the viewers of all processes want now. A process that has died renews no lease, so nothing is
 * drawn for its viewers once the lease has ended.
 */
export function createPreviewLeases(): PreviewLeases {
  const leases = new Map<string, Lease>();
  const listeners = new Set<() => void>();
  const changed = () => {
    for (const listener of listeners) listener();
  };
  const end = (key: string) => {
    clearTimeout(leases.get(key)?.timer);
    if (leases.delete(key)) changed();
  };
  return {
    receive({ subscriberId, scope, everyMs, leaseMs }) {
      const key = `${subscriberId} ${scope.type} ${scope.id}`;
      if (everyMs === null) {
        end(key);
        return;
      }
      const earlier = leases.get(key);
      clearTimeout(earlier?.timer);
      const timer = setTimeout(() => end(key), leaseMs).unref();
      leases.set(key, { scope, everyMs, timer });
      if (earlier?.everyMs !== everyMs) changed();
    },
    everyMsFor(generation) {
      const wanted = [...leases.values()].filter(({ scope }) => covers(scope, generation));
      return wanted.length === 0 ? null : Math.min(...wanted.map(({ everyMs }) => everyMs));
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      for (const { timer } of leases.values()) clearTimeout(timer);
      leases.clear();
      listeners.clear();
    },
  };
}

function covers(scope: Scope, generation: Covered): boolean {
  switch (scope.type) {
    case 'generation':
      return scope.id === generation.id;
    case 'project':
      return scope.id === generation.projectId;
    case 'owner':
      return scope.id === generation.ownerId;
  }
}
