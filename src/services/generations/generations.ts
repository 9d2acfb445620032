import DataLoader from 'dataloader';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Stage } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { createLogReader } from '../event-log/log.ts';
import { isUuid, NotFound, requireRowId, rowIdOf } from '../relay/global-id.ts';
import type { Connection } from '../relay/pagination.ts';
import { createAudience } from '../subscriptions/fan-out.ts';
import type { Live, Scope } from '../subscriptions/live.ts';
import type { FailureView, PreviewFormat, PreviewView } from '../subscriptions/views.ts';
import { createWaits, waitForEnd } from '../subscriptions/wait.ts';
import {
  type EventStream,
  previewLimits,
  type WatchDeps,
  type WatchOptions,
  watch,
} from '../subscriptions/watch.ts';
import { failureOf } from './failure.ts';
import { type GenerationList, page } from './list.ts';
import { createQueue } from './queue.ts';
import { type GenerateAnswer, type GenerateInput, type RequestDeps, request } from './request.ts';
import { checkWhole } from './settings.ts';
import { isFinal, stageOf } from './state.ts';
import { changeStatus, released } from './transition.ts';

export type { EventStream, WatchOptions } from '../subscriptions/watch.ts';
export type { GenerationFilter, GenerationList, GenerationOrder } from './list.ts';
export { type GenerateAnswer, type GenerateInput, type Priority, priorities } from './request.ts';

export type GenerationsOptions = RequestDeps & {
  readonly live: Live;
  /** Requests of all users that may wait for their end at once. */
  readonly maxOpenWaits: number;
};

/** Ids that a client names are global ids; ids in rows and events are the rows' own. */
export type Generations = {
  /** Queues; with `waitSeconds` answers when it has ended, the time is up, or `signal` aborts. */
  request(viewer: Viewer, input: GenerateInput, signal: AbortSignal): Promise<GenerateAnswer>;
  /** Null where it does not exist or is not the viewer's. */
  find(viewer: Viewer, globalId: string): Promise<Generation | null>;
  page(viewer: Viewer, list: GenerationList): Promise<Connection<Generation>>;
  /** In the order of the row ids, null where there is none or it is not the viewer's: for a DataLoader. */
  byRowIds(viewer: Viewer, rowIds: readonly string[]): Promise<(Generation | null)[]>;
  /** One that has ended stays as it is: `alreadyFinished`. @throws NotFound */
  cancel(
    viewer: Viewer,
    globalId: string,
  ): Promise<{ generation: Generation; alreadyFinished: boolean }>;
  /** 1 is next; null unless QUEUED. Questions of one moment are one query. */
  queuePosition(generation: Generation): Promise<number | null>;
  /** What it is busy with now; null unless RUNNING. */
  stage(generation: Generation): Stage | null;
  /** Steps finished over steps to do in all images, 0 to 1. */
  progress(generation: Generation): Promise<number>;
  /** Null where it has ended, or nothing like it has run yet. */
  estimatedFinishAt(generation: Generation): Promise<Date | null>;
  /** Null unless FAILED. */
  failure(generation: Generation): FailureView | null;
  /** The newest frame of every image that is not finished yet, where somebody wanted frames. */
  latestPreviews(
    viewer: Viewer,
    generation: Generation,
    options: { format: PreviewFormat; maxSize: number | null },
  ): Promise<PreviewView[]>;
  queue(): Promise<{ waiting: number; running: number }>;
  /** The row when it has ended, after `seconds`, or when `signal` aborts. @throws NotFound, TooManyWaits */
  waitFor(
    viewer: Viewer,
    globalId: string,
    seconds: number,
    signal: AbortSignal,
  ): Promise<Generation>;
  /** Rejects before anything is sent: NOT_FOUND, BAD_CURSOR. Leaving the iteration ends all it held. */
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
};

export function createGenerations(options: GenerationsOptions): Generations {
  const { client, events, live } = options;
  const audience = createAudience({ client, events });
  const queue = createQueue(client);
  const waits = createWaits(options.maxOpenWaits);
  const readyImages = new DataLoader<string, number>((ids) => countImages(client, ids), {
    cache: false,
  });

  const find: Generations['find'] = async (viewer, globalId) => {
    const id = rowIdOf('Generation', globalId);
    return id === null ? null : client.generation.findUnique({ where: { id, ownerId: viewer.id } });
  };
  const mustFind = async (viewer: Viewer, globalId: string) => {
    const row = await find(viewer, globalId);
    if (row === null) throw new NotFound('a generation', globalId, ['id']);
    return row;
  };
  /** It starts when the work before it is done; work that runs counts with what is left of it. */
  const place = async (generationId: string) => {
    const found = await queue.place(generationId);
    if (found === null) return null;
    const ms = live.estimate.sum(found.ahead);
    const startAt = ms === null ? null : new Date(live.busyUntil() + ms);
    return { position: found.position, startAt };
  };
  const readLog = createLogReader(client);
  const watchDeps: WatchDeps = { client, readLog, audience, live, place };
  const watchScope = (viewer: Viewer, scope: Scope, watching: WatchOptions, signal: AbortSignal) =>
    watch(watchDeps, viewer, { scope, options: watching, signal });

  return {
    async request(viewer, input, signal) {
      const seconds = input.waitSeconds ?? 0;
      if (!(seconds > 0)) return request(options, viewer, input);
      // The place is taken before anything is queued: a refusal leaves nothing behind.
      return waits.within(async () => {
        const { generation, replayed } = await request(options, viewer, input);
        const wait = { seconds, signal };
        return { generation: await waitForEnd({ client, audience }, generation, wait), replayed };
      });
    },
    find,
    page: (viewer, list) => page(client, viewer, list),
    async byRowIds(viewer, rowIds) {
      const rows = await client.generation.findMany({
        where: { id: { in: rowIds.filter(isUuid) }, ownerId: viewer.id },
      });
      const byId = new Map(rows.map((row) => [row.id, row]));
      return rowIds.map((id) => byId.get(id) ?? null);
    },
    async cancel(viewer, globalId) {
      const id = requireRowId('Generation', globalId);
      const canceled = await changeStatus(options, {
        id,
        from: { ownerId: viewer.id, status: { in: ['QUEUED', 'RUNNING'] } },
        to: { status: 'CANCELED', finishedAt: new Date(), ...released },
        event: 'GenerationCanceled',
      });
      if (canceled === null) {
        return { generation: await mustFind(viewer, globalId), alreadyFinished: true };
      }
      events.publish('queue', { type: 'canceled', generationId: id });
      return { generation: canceled, alreadyFinished: false };
    },
    async queuePosition({ id, status }) {
      return status === 'QUEUED' ? ((await queue.place(id))?.position ?? null) : null;
    },
    stage: ({ id, status, stage }) =>
      status === 'RUNNING' ? (live.progress(id)?.stage ?? stageOf(stage)) : null,
    async progress(generation) {
      const { id, status, count } = generation;
      if (status === 'SUCCEEDED') return 1;
      const now = status === 'RUNNING' ? live.progress(id) : null;
      if (now !== null) return now.finishedSteps / now.totalSteps;
      return (await readyImages.load(id)) / count;
    },
    async estimatedFinishAt(generation) {
      if (isFinal(generation.status)) return null;
      if (generation.status === 'RUNNING') {
        return live.progress(generation.id)?.estimatedFinishAt ?? null;
      }
      const own = live.estimate.left(generation, generation.steps * generation.count);
      const startAt = own === null ? null : (await place(generation.id))?.startAt;
      return own === null || !startAt ? null : new Date(startAt.getTime() + own);
    },
    failure: failureOf,
    async latestPreviews(viewer, generation, wanted) {
      checkWhole(['maxSize'], wanted.maxSize, previewLimits.maxSize);
      if (generation.ownerId !== viewer.id) return [];
      return Promise.all(
        live.latestFrames(generation.id).map((image) => live.frames.encode(image, wanted)),
      );
    },
    queue: () => queue.count(),
    async waitFor(viewer, globalId, seconds, signal) {
      const row = await mustFind(viewer, globalId);
      return waits.within(() => waitForEnd({ client, audience }, row, { seconds, signal }));
    },
    async watchGeneration(viewer, globalId, watching, signal) {
      const { id } = await mustFind(viewer, globalId);
      return watchScope(viewer, { type: 'generation', id }, watching, signal);
    },
    async watchProject(viewer, globalId, watching, signal) {
      const id = requireRowId('Project', globalId);
      const project = await client.project.findUnique({ where: { id, ownerId: viewer.id } });
      if (project === null) throw new NotFound('a project', globalId, ['id']);
      return watchScope(viewer, { type: 'project', id }, watching, signal);
    },
    async watchViewer(viewer, watching, signal) {
      return watchScope(viewer, { type: 'owner', id: viewer.id }, watching, signal);
    },
  };
}

async function countImages(client: PrismaClient, ids: readonly string[]): Promise<number[]> {
  const counts = await client.asset.groupBy({
    by: ['generationId'],
    where: { generationId: { in: [...ids] } },
    _count: true,
  });
  const byId = new Map(counts.map((row) => [row.generationId, row._count]));
  return ids.map((id) => byId.get(id) ?? 0);
}
