import type { Mismatch } from '../../errors.ts';
import type { Events, Scope } from '../../events/events.ts';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { eventCursorProblems } from '../event-log/cursor.ts';
import { createLogReader } from '../event-log/log.ts';
import { createEstimate } from '../generations/estimate.ts';
import { find } from '../generations/find.ts';
import type { Queue } from '../generations/queue.ts';
import { numberProblems } from '../input/number.ts';
import { refuse } from '../input/problems.ts';
import { rowIdOf } from '../relay/global-id.ts';
import { startFanOut } from './fan-out.ts';
import { createFrameEncoder, type PreviewOptions, type PreviewView } from './frames.ts';
import { createLatestPreviews } from './latest-previews.ts';
import { previewLimits } from './limits.ts';
import { startLive } from './live.ts';
import { createPreviewRequests } from './preview-requests.ts';
import { createSharedReads } from './shared-reads.ts';
import type { Snapshot } from './snapshot.ts';
import { createStates, type States } from './state.ts';
import { createWaits, type Waits } from './wait.ts';
import { type EventStream, type WatchOptions, watch } from './watch.ts';

export type SubscriptionsOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly queue: Queue;
  /** Requests of all users that may wait for their end at once. */
  readonly maxOpenWaits: number;
  readonly maxOpenWaitsPerUser: number;
};

/** What is watched: listens to the runners, also to those of the same process. */
export type Subscriptions = {
  readonly states: States;
  readonly waits: Waits;
  /** Preview encodings that were made since the start. */
  readonly framesEncoded: number;
  /** Rejects before anything is sent: NOT_FOUND, BAD_CURSOR. Leaving the iteration ends all that it held. */
  watchGeneration(
    viewer: Viewer,
    globalId: string,
    options: WatchOptions,
    signal: AbortSignal,
  ): Promise<EventStream>;
  watchProject(
    viewer: Viewer,
    globalId: string,
    options: WatchOptions,
    signal: AbortSignal,
  ): Promise<EventStream>;
  watchViewer(viewer: Viewer, options: WatchOptions, signal: AbortSignal): Promise<EventStream>;
  /** The newest frame of every image that is not finished yet. Counts as watching for a while. */
  latestPreviews(
    viewer: Viewer,
    generation: Generation,
    options: Pick<PreviewOptions, 'format' | 'maxSize'>,
  ): Promise<PreviewView[]>;
  close(): void;
};

export async function startSubscriptions(options: SubscriptionsOptions): Promise<Subscriptions> {
  const { client, events, queue, maxOpenWaits, maxOpenWaitsPerUser } = options;
  const estimate = createEstimate();
  const frames = createFrameEncoder();
  const previewRequests = createPreviewRequests(events);
  const live = await startLive(events, { estimate, onRunnerStarted: previewRequests.renew });
  const fanOut = await startFanOut({ client, events, onFrame: live.receiveFrame });
  const states = createStates({ client, queue, live, estimate });
  const latest = createLatestPreviews({ fanOut, frames, live, previewRequests });
  const snapshots = createSharedReads<Snapshot>();
  const readLog = createLogReader(client);
  const deps = {
    client,
    snapshots,
    readLog,
    fanOut,
    previewRequests,
    live,
    states,
    estimate,
    frames,
  };
  const watchScope = (viewer: Viewer, scope: Scope, options: WatchOptions, signal: AbortSignal) =>
    watch(deps, viewer, { scope, options, signal });
  return {
    states,
    waits: createWaits({ client, fanOut, maxOpenWaits, maxOpenWaitsPerUser }),
    get framesEncoded() {
      return frames.framesEncoded;
    },
    async watchGeneration(viewer, globalId, watching, signal) {
      const found = await find(client, viewer, globalId);
      refuse([
        ...missingProblems('a generation', ['id'], found, globalId),
        ...watchProblems(viewer, watching),
      ]);
      return watchScope(viewer, { type: 'generation', id: found!.id }, watching, signal);
    },
    async watchProject(viewer, globalId, watching, signal) {
      const id = rowIdOf('Project', globalId);
      const found = id && (await client.project.findUnique({ where: { id, ownerId: viewer.id } }));
      refuse([
        ...missingProblems('a project', ['projectId'], found, globalId),
        ...watchProblems(viewer, watching),
      ]);
      return watchScope(viewer, { type: 'project', id: id! }, watching, signal);
    },
    async watchViewer(viewer, watching, signal) {
      refuse(watchProblems(viewer, watching));
      return watchScope(viewer, { type: 'owner', id: viewer.id }, watching, signal);
    },
    async latestPreviews(viewer, generation, wanted) {
      refuse(numberProblems(['maxSize'], wanted.maxSize, previewLimits.maxSize));
      return latest.read(viewer, generation, wanted);
    },
    close() {
      latest.close();
      previewRequests.close();
      fanOut.close();
      live.close();
    },
  };
}

/** "Not yours" and "not there" are one answer. */
function missingProblems(
  what: string,
  path: readonly string[],
  found: unknown,
  got: string,
): Mismatch[] {
  return found ? [] : [{ path, code: 'NOT_FOUND', expected: `the id of ${what}`, got }];
}

function watchProblems(viewer: Viewer, { asked, previews, after }: WatchOptions): Mismatch[] {
  const options = asked ?? previews;
  return [
    ...eventCursorProblems(viewer.id, after),
    ...numberProblems(['preview', 'everyMs'], options?.everyMs, previewLimits.everyMs),
    ...numberProblems(['preview', 'maxSize'], options?.maxSize, previewLimits.maxSize),
  ];
}
