import { createHash } from 'node:crypto';
import { DomainError } from '../../errors.ts';
import type { Generation, Prisma } from '../../generated/prisma/client.ts';
import type { ModelDescription } from '../../inference/request.ts';
import type { Viewer } from '../access/viewer.ts';
import { type ChangeDeps, change } from '../event-log/change.ts';
import { checkText } from '../input/text.ts';
import { NotFound, requireRowId } from '../relay/global-id.ts';
import { generateLimits } from './limits.ts';
import { checkSettings, checkWhole, completeSettings, type SettingsInput } from './settings.ts';
import { subjectOf } from './transition.ts';

export const priorities = ['LOW', 'NORMAL', 'HIGH'] as const;
export type Priority = (typeof priorities)[number];

export type GenerateInput = {
  readonly settings: SettingsInput;
  /** Global id; the viewer's default project where left out. */
  readonly projectId?: string | null;
  readonly idempotencyKey?: string | null;
  readonly clientReference?: string | null;
  readonly waitSeconds?: number | null;
  readonly priority?: Priority | null;
};

export type GenerateAnswer = { readonly generation: Generation; readonly replayed: boolean };

export class QueueFull extends DomainError {
  constructor(max: number) {
    super(
      'QUEUE_FULL',
      `Expected fewer than ${max} generations of yours to be waiting, but got ${max}: wait until one starts`,
      { max, got: max, retryAfter: 5 },
    );
  }
}

export class IdempotencyConflict extends DomainError {
  constructor(key: string) {
    super(
      'IDEMPOTENCY_CONFLICT',
      `Expected the input that came first with the idempotency key "${key}", but got another`,
      { path: ['idempotencyKey'] },
    );
  }
}

export type RequestDeps = ChangeDeps & {
  /** As the engine found them; read at each request. */
  readonly models: () => readonly ModelDescription[];
  readonly defaultModel: string;
  /** Generations of one user that may wait at once. */
  readonly maxQueued: number;
};

/**
 * Checks everything, queues, and tells the runners.
 * @throws DomainError with the path of the field; NotFound, QueueFull, IdempotencyConflict, UnusableModel
 */
export async function request(
  deps: RequestDeps,
  viewer: Viewer,
  input: GenerateInput,
): Promise<GenerateAnswer> {
  checkInput(input);
  const projectId = input.projectId
    ? requireRowId('Project', input.projectId, ['projectId'])
    : viewer.defaultProjectId;
  const key = input.idempotencyKey ?? null;
  const inputSha256 = key === null ? null : hashOf(input, projectId);

  return change(deps, async ({ tx, record, publish }) => {
    await lockOwner(tx, viewer.id);
    const earlier = await findByKey(tx, viewer.id, key);
    if (earlier !== null) {
      if (earlier.inputSha256 !== inputSha256) throw new IdempotencyConflict(key ?? '');
      return { generation: earlier, replayed: true };
    }
    const settings = completeSettings(input.settings, deps.models(), deps.defaultModel);
    await checkProject(tx, viewer, projectId, input.projectId);
    await checkRoom(tx, viewer, deps.maxQueued);
    const generation = await tx.generation.create({
      data: {
        ...settings,
        ownerId: viewer.id,
        projectId,
        priority: priorities.indexOf(input.priority ?? 'NORMAL'),
        clientReference: input.clientReference ?? null,
        idempotencyKey: key,
        inputSha256,
      },
    });
    record({ ...subjectOf(generation), type: 'GenerationQueued' });
    publish('runners', { type: 'queued' });
    return { generation, replayed: false };
  });
}

function checkInput(input: GenerateInput): void {
  checkSettings(input.settings);
  checkWhole(['waitSeconds'], input.waitSeconds, generateLimits.waitSeconds);
  const { clientReference, idempotencyKey } = input;
  if (clientReference != null) {
    checkText(['clientReference'], clientReference, generateLimits.clientReference);
  }
  if (idempotencyKey != null) {
    checkText(['idempotencyKey'], idempotencyKey, generateLimits.idempotencyKey);
  }
}

/**
 * One request of a user after the other: of two with one key, or two when one more may wait, the second one sees
 * the first one's row. The counter of events in this row is raised by the same transaction, so no further row is locked.
 */
async function lockOwner(tx: Prisma.TransactionClient, ownerId: string): Promise<void> {
  await tx.$executeRaw`SELECT 1 FROM "User" WHERE "id" = ${ownerId}::uuid FOR NO KEY UPDATE`;
}

async function findByKey(
  tx: Prisma.TransactionClient,
  ownerId: string,
  idempotencyKey: string | null,
): Promise<Generation | null> {
  if (idempotencyKey === null) return null;
  return tx.generation.findUnique({
    where: { ownerId_idempotencyKey: { ownerId, idempotencyKey } },
  });
}

async function checkProject(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  id: string,
  globalId: string | null | undefined,
): Promise<void> {
  const where = { id, ownerId: viewer.id, trashedAt: null };
  const project = await tx.project.findUnique({ where, select: { id: true } });
  if (project === null) throw new NotFound('a project', globalId ?? id, ['projectId']);
}

async function checkRoom(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  maxQueued: number,
): Promise<void> {
  const waiting = await tx.generation.count({ where: { ownerId: viewer.id, status: 'QUEUED' } });
  if (waiting >= maxQueued) throw new QueueFull(maxQueued);
}

/** Of what was asked for: order, and the ways to leave something out, make no difference; nor does waiting. */
function hashOf(input: GenerateInput, projectId: string): string {
  const { settings, clientReference, priority } = input;
  const asked = { projectId, clientReference, priority: priority ?? 'NORMAL', settings };
  return createHash('sha256').update(canonical(asked)).digest('hex');
}

function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const fields = Object.entries(value)
    .filter(([, field]) => field != null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`);
  return `{${fields.join()}}`;
}
