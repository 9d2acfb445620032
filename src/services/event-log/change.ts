import type { Channel, Events, Message } from '../../events/events.ts';
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { announce } from './announce.ts';
import { append, type NewEvent } from './log.ts';

/** Where a test of recovery may end the process. */
export type ChangePoint = 'before-commit' | 'after-commit' | 'before-publish';

export type ChangeDeps = {
  readonly client: PrismaClient;
  readonly events: Events;
  /** Called at each point; a test may end the process there. */
  readonly reached?: (point: ChangePoint) => void | Promise<void>;
};

/** A change under way. */
export type ChangeSteps = {
  /** The transaction; nothing else may be asked of the database meanwhile. */
  readonly tx: Prisma.TransactionClient;
  /** Adds an event to its owner's log, behind all other statements of the transaction. */
  record(event: NewEvent): void;
  /** Sends a message once the change is committed, after the news of its events. */
  publish(channel: Channel, message: Message): void;
};

/**
 * Changes rows: one transaction, its events last, the commit, then the news of it. Where `make` throws, nothing
 * has changed and nobody is told. Events come last because appending locks the counter in the owner's row
 * until the commit: a change that locked it before its other rows could wait for one that does the reverse.
 *
 * @example
 * await change(deps, async ({ tx, record }) => {
 *   const project = await tx.project.update({ where: { id }, data: { name } });
 *   record({ ownerId: project.ownerId, projectId: id, type: 'ProjectRenamed' });
 *   return project;
 * });
 */
export async function change<Result>(
  deps: ChangeDeps,
  make: (steps: ChangeSteps) => Promise<Result>,
): Promise<Result> {
  const { client, events, reached = () => {} } = deps;
  const committed = await client.$transaction(async (tx) => {
    const recorded: NewEvent[] = [];
    const messages: (readonly [Channel, Message])[] = [];
    const result = await make({
      tx,
      record: (event) => recorded.push(event),
      publish: (channel, message) => messages.push([channel, message]),
    });
    const numbers = await appendAll(tx, recorded);
    if (recorded.length > 0) await reached('before-commit');
    return { result, numbers, messages };
  });
  const { result, numbers, messages } = committed;
  if (numbers.length > 0) {
    await reached('after-commit');
    await reached('before-publish');
  }
  for (const [event, number] of numbers) announce(events, event, number);
  for (const [channel, message] of messages) events.publish(channel, message);
  return result;
}

/** The logs of several owners in one order for all, so that no two changes wait for each other. */
async function appendAll(
  tx: Prisma.TransactionClient,
  recorded: readonly NewEvent[],
): Promise<(readonly [NewEvent, number])[]> {
  const ownerIds = [...new Set(recorded.map(({ ownerId }) => ownerId))].sort();
  const numbers: (readonly [NewEvent, number])[] = [];
  for (const ownerId of ownerIds) {
    const events = recorded.filter((one) => one.ownerId === ownerId);
    const appended = await append(tx, ownerId, events);
    for (const [i, event] of events.entries()) numbers.push([event, appended[i]!]);
  }
  return numbers;
}
