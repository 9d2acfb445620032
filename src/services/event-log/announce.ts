import type { Events } from '../../events/events.ts';
import type { NewEvent } from './log.ts';

/** Tells the viewers that event `number` is committed. Only after its transaction. */
export function announce(
  events: Events,
  event: Pick<NewEvent, 'ownerId' | 'projectId' | 'generationId'>,
  number: number,
): void {
  const { ownerId, projectId = null, generationId = null } = event;
  const message = { type: 'logged', ownerId, projectId, generationId, cursor: number } as const;
  events.publish(`owner:${ownerId}`, message);
}
