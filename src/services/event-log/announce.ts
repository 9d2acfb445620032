import type { Events } from '../../events/events.ts';

/** Which rows an event is about. */
export type Subject = {
  readonly ownerId: string;
  readonly projectId: string;
  readonly generationId: string;
};

/** Tells those who watch that event `number` is committed. Only after its transaction. */
export function announce(events: Events, subject: Subject, number: number): void {
  const { ownerId, projectId, generationId } = subject;
  const message = { type: 'logged', ownerId, projectId, generationId, cursor: number } as const;
  events.publish(`owner:${ownerId}`, message);
}
