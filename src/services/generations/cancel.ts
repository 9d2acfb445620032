import type { Generation } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import type { ChangeDeps } from '../event-log/change.ts';
import { requireRowId } from '../relay/global-id.ts';
import { mustFind } from './find.ts';
import { changeStatus, released } from './transition.ts';

export type CancelAnswer = {
  readonly generation: Generation;
  readonly alreadyFinished: boolean;
};

/** One that has ended stays as it is: `alreadyFinished`. @throws NotFound */
export async function cancel(
  deps: ChangeDeps,
  viewer: Viewer,
  globalId: string,
): Promise<CancelAnswer> {
  const id = requireRowId('Generation', globalId);
  const canceled = await changeStatus(deps, {
    id,
    from: { ownerId: viewer.id, status: { in: ['QUEUED', 'RUNNING'] } },
    to: { status: 'CANCELED', finishedAt: new Date(), ...released },
    event: 'GenerationCanceled',
    message: { type: 'canceled', generationId: id },
  });
  if (canceled !== null) return { generation: canceled, alreadyFinished: false };
  return { generation: await mustFind(deps.client, viewer, globalId), alreadyFinished: true };
}
