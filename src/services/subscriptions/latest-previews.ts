import { LRUCache } from 'lru-cache';
import type { Generation } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { isFinal } from '../generations/status.ts';
import type { FanOut } from './fan-out.ts';
import type { FrameEncoder, PreviewOptions, PreviewView } from './frames.ts';
import { previewLimits } from './limits.ts';
import type { Live } from './live.ts';
import type { PreviewRequests } from './preview-requests.ts';

/** How long a read counts as watching, in milliseconds: longer than the pause between two reads of a client that polls. */
const watchingMs = 30_000;
/** Generations that are watched because they were read. */
const maxWatched = 1_000;

export type LatestPreviews = {
  /**
   * The newest frame of every image that is not finished yet. A read counts as watching: from then on, and for a
   * while, frames are drawn for the next read.
   */
  read(
    viewer: Viewer,
    generation: Generation,
    options: Pick<PreviewOptions, 'format' | 'maxSize'>,
  ): Promise<PreviewView[]>;
  close(): void;
};

export function createLatestPreviews(deps: {
  readonly fanOut: FanOut;
  readonly frames: FrameEncoder;
  readonly live: Live;
  readonly previewRequests: PreviewRequests;
}): LatestPreviews {
  const { fanOut, frames, live, previewRequests } = deps;
  const watched = new LRUCache<string, () => void>({
    max: maxWatched,
    ttl: watchingMs,
    ttlAutopurge: true,
    updateAgeOnGet: true,
    dispose: (stop) => stop(),
  });
  const watch = async ({ id, ownerId }: Generation) => {
    if (watched.get(id) !== undefined) return;
    const scope = { type: 'generation', id } as const;
    const withdraw = previewRequests.want(scope, previewLimits.everyMs.default);
    const joined = fanOut.join(ownerId, scope, silent);
    watched.set(id, () => {
      withdraw();
      joined.then(
        (leave) => leave(),
        () => {}, // Where joining failed, there is nothing to leave.
      );
    });
    await joined;
  };
  return {
    async read(viewer, generation, options) {
      if (generation.ownerId !== viewer.id) return [];
      if (isFinal(generation.status)) {
        watched.delete(generation.id);
        return [];
      }
      await watch(generation);
      return Promise.all(
        live.latestFrames(generation.id).map((image) => frames.encode(image, options)),
      );
    },
    close: () => watched.clear(),
  };
}

/** Frames reach `live` where anybody listens; this listener needs nothing for itself. */
const silent = { logged: () => {}, progress: () => {}, frame: () => {} };
