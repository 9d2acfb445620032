import type { Generation, PrismaClient } from '../../generated/prisma/client.ts';
import type { Stage } from '../../inference/request.ts';
import type { RunProgress } from './progress.ts';

/**
 * Keeps stage and finished steps in the row: the stage that an image has entered last, the steps now and then,
 * so that processes that start later, and this one after a crash, know them. One write after the other, so that an
 * older one does not come last.
 */
export function createStoredProgress(
  deps: { readonly client: PrismaClient; readonly storeProgressEveryMs: number },
  { id, runnerId }: Generation,
  progress: RunProgress,
) {
  const { client, storeProgressEveryMs } = deps;
  let storedStage: Stage | null = null;
  let storedAt = performance.now();
  let isStale = false;
  let writing: Promise<void> | null = null;
  const write = async () => {
    while (isStale) {
      isStale = false;
      storedAt = performance.now();
      const { stage, finishedSteps } = progress;
      await client.generation.updateMany({
        where: { id, status: 'RUNNING', runnerId, finishedSteps: { lte: finishedSteps } },
        data: { stage, finishedSteps },
      });
    }
  };
  const store = () => {
    isStale = true;
    writing ??= write().finally(() => {
      writing = null;
    });
    return writing;
  };
  return {
    async stageBegan() {
      if (progress.stage === storedStage) return;
      storedStage = progress.stage;
      await store();
    },
    /** Not awaited: a step waits for no database. One that fails is made up for by the next. */
    stepEnded() {
      if (performance.now() - storedAt >= storeProgressEveryMs) store().catch(() => {});
    },
  };
}
