import DataLoader from 'dataloader';
import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Stage } from '../../inference/request.ts';
import type { Estimate } from '../generations/estimate.ts';
import type { Queue, QueuePosition } from '../generations/queue.ts';
import { isFinal, stageOf } from '../generations/status.ts';
import type { Live } from './live.ts';

export type StateDeps = {
  readonly client: PrismaClient;
  readonly queue: Queue;
  readonly live: Live;
  readonly estimate: Estimate;
};

/** Where a generation stands in the queue, and about when it starts. */
export type Waiting = { readonly position: number; readonly startAt: Date | null };

/**
 * How a generation stands, for the fields of one answer, which agree with each other: what is asked of the same
 * row object is answered as of the same moment.
 */
export type States = {
  /**
   * The row as of the answer: newer than the one given where its position was asked for and it had left the queue
   * meanwhile.
   */
  row(generation: Generation): Promise<Generation>;
  /** 1 is next; null unless QUEUED. */
  queuePosition(generation: Generation): Promise<number | null>;
  /** Null unless RUNNING. */
  stage(generation: Generation): Promise<Stage | null>;
  /** Steps finished over steps to do in all images, 0 to 1. Never falls. */
  progress(generation: Generation): Promise<number>;
  /** Null where it has ended, or nothing like it has run yet. */
  estimatedFinishAt(generation: Generation): Promise<Date | null>;
  /** Null unless it waits. */
  waiting(generationId: string): Promise<Waiting | null>;
};

type Asked = { readonly generation: Generation; needsPosition: boolean; isRead: boolean };
type Answer = { readonly row: Generation; readonly position: QueuePosition | null };

/** How often a position is asked for again of a generation that left the queue and came back meanwhile. */
const tries = 3;

export function createStates({ client, queue, live, estimate }: StateDeps): States {
  const answers = new WeakMap<Generation, { asked: Asked; answer: Promise<Answer> }>();
  const loader = new DataLoader<Asked, Answer>((asked) => readAll({ client, queue }, asked), {
    cache: false,
  });
  /** Fields of one object ask in one turn of the event loop, so one of them sees to the position for all. */
  const read = (generation: Generation, needsPosition: boolean): Promise<Answer> => {
    if (generation.status !== 'QUEUED') {
      return Promise.resolve({ row: generation, position: null });
    }
    const known = answers.get(generation);
    if (known && !known.asked.isRead) known.asked.needsPosition ||= needsPosition;
    if (known && (known.asked.needsPosition || !needsPosition)) return known.answer;
    const asked = { generation, needsPosition, isRead: false };
    const answer = loader.load(asked);
    answers.set(generation, { asked, answer });
    return answer;
  };
  /** It starts when the work ahead of it is done; work that runs counts with what is left of it. */
  const startAt = (position: QueuePosition) => {
    const ms = estimate.sum(position.ahead);
    return ms === null ? null : new Date(live.busyUntil() + ms);
  };
  return {
    row: async (generation) => (await read(generation, false)).row,
    queuePosition: async (generation) => (await read(generation, true)).position?.position ?? null,
    async stage(generation) {
      const { row } = await read(generation, false);
      if (row.status !== 'RUNNING') return null;
      return live.progress(row.id)?.stage ?? stageOf(row.stage);
    },
    async progress(generation) {
      const { row } = await read(generation, false);
      if (row.status === 'SUCCEEDED') return 1;
      const finishedSteps = Math.max(row.finishedSteps, live.finishedSteps(row.id));
      return Math.min(1, finishedSteps / (row.steps * row.count));
    },
    async estimatedFinishAt(generation) {
      const { row, position } = await read(generation, true);
      if (isFinal(row.status)) return null;
      if (position === null) return live.progress(row.id)?.estimatedFinishAt ?? null;
      const start = startAt(position);
      const own = estimate.left(row, row.steps * row.count);
      return start === null || own === null ? null : new Date(start.getTime() + own);
    },
    async waiting(generationId) {
      const position = await queue.position(generationId);
      return position && { position: position.position, startAt: startAt(position) };
    },
  };
}

/**
 * Position and row agree: a row that says QUEUED and has no position has left the queue since it was read, and is
 * read again. Without positions nothing is read.
 */
async function readAll(
  { client, queue }: Pick<StateDeps, 'client' | 'queue'>,
  asked: readonly Asked[],
): Promise<Answer[]> {
  for (const one of asked) one.isRead = true;
  const rows = new Map(asked.map(({ generation }) => [generation, generation]));
  const positions = new Map<Generation, QueuePosition>();
  let open = asked.filter(({ needsPosition }) => needsPosition).map((one) => one.generation);
  for (let n = 0; n < tries && open.length > 0; n++) {
    const found = await Promise.all(open.map(({ id }) => queue.position(id)));
    const left: Generation[] = [];
    for (const [i, generation] of open.entries()) {
      const position = found[i];
      if (position) positions.set(generation, position);
      else left.push(generation);
    }
    if (left.length === 0) break;
    const fresh = await client.generation.findMany({
      where: { id: { in: left.map(({ id }) => id) } },
    });
    const byId = new Map(fresh.map((row) => [row.id, row]));
    for (const one of left) rows.set(one, byId.get(one.id) ?? one);
    open = left.filter((one) => byId.get(one.id)?.status === 'QUEUED');
  }
  return asked.map(({ generation }) => ({
    row: rows.get(generation) ?? generation,
    position: positions.get(generation) ?? null,
  }));
}
