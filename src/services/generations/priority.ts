import { BadInput } from '../../errors.ts';
import type { Generation } from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import type { ChangeDeps } from '../event-log/change.ts';
import { requireRowId } from '../relay/global-id.ts';
import { mustFind } from './find.ts';
import { type Priority, priorities } from './request.ts';

/** Of one that still waits; it takes its new place at once. @throws NotFound, BadInput where it has started */
export async function setPriority(
  { client }: ChangeDeps,
  viewer: Viewer,
  { id: globalId, priority }: { id: string; priority: Priority },
): Promise<{ generation: Generation }> {
  const id = requireRowId('Generation', globalId);
  const [generation] = await client.generation.updateManyAndReturn({
    where: { id, ownerId: viewer.id, status: 'QUEUED' },
    data: { priority: priorities.indexOf(priority) },
  });
  if (generation !== undefined) return { generation };
  const { status } = await mustFind(client, viewer, globalId);
  const expected = 'a generation that still waits';
  throw new BadInput({ path: ['id'], expected, got: { phrase: `one that is ${status}` } });
}
