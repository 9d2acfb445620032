import type { Generation, Prisma } from '../../generated/prisma/client.ts';
import { type ChangeDeps, type ChangeSteps, change } from '../event-log/change.ts';
import type { LoggedType } from '../event-log/log.ts';

/** Columns of a row that no runner works on. */
export const released = { stage: null, runnerId: null, leaseUntil: null } as const;

export type Transition = {
  readonly id: string;
  /** The state it must be in: of two that change it, the second one changes nothing. */
  readonly from: Prisma.GenerationWhereInput;
  readonly to: Prisma.GenerationUncheckedUpdateManyInput;
  readonly event: LoggedType;
  readonly payload?: Prisma.InputJsonObject;
  /** Sent to the runners after the commit. */
  readonly message?: Parameters<ChangeSteps['publish']>[1];
};

/** One conditional update with its event. Null where the row had moved on. */
export function changeStatus(deps: ChangeDeps, transition: Transition): Promise<Generation | null> {
  const { id, from, to, event, payload = {}, message } = transition;
  return change(deps, async ({ tx, record, publish }) => {
    const [row] = await tx.generation.updateManyAndReturn({
      where: { AND: [{ id }, from] },
      data: to,
    });
    if (row === undefined) return null;
    record({ ...subjectOf(row), type: event, payload });
    if (message !== undefined) publish('runners', message);
    return row;
  });
}

/** What an event of a generation is about. */
export function subjectOf({
  ownerId,
  projectId,
  id,
}: Pick<Generation, 'ownerId' | 'projectId' | 'id'>) {
  return { ownerId, projectId, generationId: id };
}
