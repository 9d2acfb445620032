import type { Events } from '../../events/events.ts';
import type { Generation, Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { announce } from '../event-log/announce.ts';
import { append, type LoggedType } from '../event-log/log.ts';

/** What a row says that nobody runs. */
export const released = { stage: null, runnerId: null, leaseUntil: null } as const;

type Change = {
  readonly id: string;
  /** The state it must be in: whoever comes second changes nothing. */
  readonly from: Prisma.GenerationWhereInput;
  readonly to: Prisma.GenerationUncheckedUpdateManyInput;
  readonly event: LoggedType;
  readonly payload?: Prisma.InputJsonObject;
};

/** One conditional update with its event, then the news of it. Null where the row had moved on. */
export async function changeStatus(
  { client, events }: { client: PrismaClient; events: Events },
  change: Change,
): Promise<Generation | null> {
  const changed = await client.$transaction(async (tx) => {
    const [row] = await tx.generation.updateManyAndReturn({
      where: { AND: [{ id: change.id }, change.from] },
      data: change.to,
    });
    if (row === undefined) return null;
    const subject = { ownerId: row.ownerId, projectId: row.projectId, generationId: row.id };
    const payload = change.payload ?? {};
    const number = await append(tx, { ...subject, type: change.event, payload });
    return { row, subject, number };
  });
  if (changed === null) return null;
  announce(events, changed.subject, changed.number);
  return changed.row;
}
