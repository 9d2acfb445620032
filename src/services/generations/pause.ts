import type { PrismaClient } from '../../generated/prisma/client.ts';
import { type Actor, note } from '../access/audit.ts';
import { type ChangeDeps, change } from '../event-log/change.ts';

/** Whether runners claim nothing: what runs ends, what waits waits. */
export async function isPaused(client: PrismaClient): Promise<boolean> {
  const { pausedAt } = await client.installation.findUniqueOrThrow({ where: { id: 1 } });
  return pausedAt !== null;
}

/** Of all runners of this installation, until it is set the other way, also over a restart. */
export function setPaused(deps: ChangeDeps, actor: Actor, paused: boolean): Promise<void> {
  return change(deps, async ({ tx, publish }) => {
    const { count } = await tx.installation.updateMany({
      where: { id: 1, pausedAt: paused ? null : { not: null } },
      data: { pausedAt: paused ? new Date() : null },
    });
    if (count === 0) return;
    await note(tx, actor, { action: paused ? 'queue.pause' : 'queue.resume' });
    if (!paused) publish('runners', { type: 'queued' });
  });
}
