import { randomUUID } from 'node:crypto';
import type { Events, Scope } from '../../events/events.ts';

/** How long runners draw previews for a process that says nothing more, in milliseconds. */
const leaseMs = 15_000;

export type PreviewRequests = {
  /** Asks all runners for frames of what the scope covers, until what it gives back is called. */
  want(scope: Scope, everyMs: number): () => void;
  close(): void;
};

type Wanted = {
  readonly scope: Scope;
  /** Of each viewer: at most one frame per this many milliseconds. */
  readonly viewers: Map<object, number>;
};

/**
 * Tells the runners which frames the viewers of this process want, by messages with a lease that is renewed while
 * somebody wants them. One message per scope, whatever the number of viewers.
 */
export function createPreviewRequests(events: Events): PreviewRequests {
  const subscriberId = randomUUID();
  const wanted = new Map<string, Wanted>();
  let timer: NodeJS.Timeout | undefined;
  const everyMsOf = ({ viewers }: Wanted) =>
    viewers.size === 0 ? null : Math.min(...viewers.values());
  const send = (one: Wanted) =>
    events.publish('runners', {
      type: 'previews-wanted',
      ...{ subscriberId, leaseMs },
      scope: one.scope,
      everyMs: everyMsOf(one),
    });
  const renew = () => {
    for (const one of wanted.values()) send(one);
  };
  return {
    want(scope, everyMs) {
      const key = `${scope.type} ${scope.id}`;
      const one = wanted.get(key) ?? { scope, viewers: new Map<object, number>() };
      const before = everyMsOf(one);
      const viewer = {};
      one.viewers.set(viewer, everyMs);
      wanted.set(key, one);
      timer ??= setInterval(renew, leaseMs / 3).unref();
      if (everyMsOf(one) !== before) send(one);
      return () => {
        const earlier = everyMsOf(one);
        if (!one.viewers.delete(viewer)) return;
        if (one.viewers.size === 0) wanted.delete(key);
        if (everyMsOf(one) !== earlier) send(one);
        if (wanted.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    close: () => clearInterval(timer),
  };
}
