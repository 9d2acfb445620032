import { createHash } from 'node:crypto';
import { BadInput, type Mismatch } from '../../errors.ts';
import type { Generation, Prisma } from '../../generated/prisma/client.ts';
import type { AskedSettings, ModelDescription } from '../../inference/request.ts';
import { checkQuotas, type Quotas } from '../access/quotas.ts';
import { keyIdOf, type Viewer } from '../access/viewer.ts';
import { type ChangeDeps, change } from '../event-log/change.ts';
import { numberProblems } from '../input/number.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems, referenceProblems } from '../input/text.ts';
import { rowIdOf } from '../relay/global-id.ts';
import { generateLimits } from './limits.ts';
import { completeSettings, type Models, settingsProblems } from './settings.ts';
import { type ImageInput, imageProblems, sourceOf } from './source.ts';
import { columnsOf } from './stored-settings.ts';
import { subjectOf } from './transition.ts';

export const priorities = ['LOW', 'NORMAL', 'HIGH'] as const;
export type Priority = (typeof priorities)[number];

export type GenerateInput = {
  /** With an image: image to image. */
  readonly settings: AskedSettings & { readonly image?: ImageInput | null };
  /** Global id; the viewer's default project where left out. */
  readonly projectId?: string | null;
  readonly idempotencyKey?: string | null;
  readonly clientReference?: string | null;
  readonly waitSeconds?: number | null;
  readonly priority?: Priority | null;
};

export type GenerateAnswer = { readonly generation: Generation; readonly replayed: boolean };

export type RequestDeps = ChangeDeps & {
  /** As its folder is now; read at each request. */
  readonly findModel: (name: string) => Promise<ModelDescription | null>;
  /** All of them: for the refusal of one that there is not. */
  readonly listModels: () => Promise<readonly ModelDescription[]>;
  readonly defaultModel: string;
  readonly quotas: Quotas;
};

/**
 * Checks everything, queues, and tells the runners.
 * @throws BadInput with all problems of the input (BAD_USER_INPUT, MODEL_UNAVAILABLE, NOT_FOUND of the project,
 * IDEMPOTENCY_CONFLICT), DomainError QUEUE_FULL, QUOTA_EXCEEDED
 */
export async function request(
  deps: RequestDeps,
  viewer: Viewer,
  input: GenerateInput,
): Promise<GenerateAnswer> {
  const { settings, idempotencyKey: key = null } = input;
  const models = await modelsFor(deps, settings);
  const project = projectOf(viewer, input.projectId);
  const problems = [
    ...settingsProblems(settings, models),
    ...imageProblems(settings.image, settings.steps),
    ...problemsBeside(input),
  ];
  // What was accepted once is answered again, also where its model or its project is gone by now.
  const isKeyUsable = key !== null && !problems.some(({ path }) => path[0] === 'idempotencyKey');
  if (problems.length > 0 && !isKeyUsable) {
    refuse([...problems, ...(await projectProblems(deps.client, viewer, project))]);
  }
  const inputSha256 = key === null ? null : hashOf(input, project.id ?? '');
  return change(deps, async ({ tx, record, publish }) => {
    await lockOwner(tx, viewer.id);
    const earlier = await findByKey(tx, viewer.id, key);
    if (earlier !== null) {
      if (earlier.inputSha256 !== inputSha256) throw idempotencyConflict(key ?? '');
      return { generation: earlier, replayed: true };
    }
    refuse([...problems, ...(await projectProblems(tx, viewer, project))]);
    const columns = columnsOf(completeSettings(settings, models));
    const made = settings.image ? await startsFrom(tx, viewer, settings.image, columns.steps) : {};
    await checkQuotas(tx, deps.quotas, { ownerId: viewer.id, count: columns.count });
    const generation = await tx.generation.create({
      data: {
        ...columns,
        ...made,
        ownerId: viewer.id,
        apiKeyId: keyIdOf(viewer),
        projectId: project.id ?? '',
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

/** Columns of image to image. @throws BadInput */
async function startsFrom(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  image: ImageInput,
  steps: number,
) {
  refuse(imageProblems(image, steps));
  const { assetId, maskAssetId, strength } = image;
  const source = await sourceOf(tx, viewer, { name: 'assetId', globalId: assetId });
  if (!('id' in source)) throw new BadInput(source);
  if (maskAssetId == null) {
    return { kind: 'IMAGE_TO_IMAGE', sourceId: source.id, strength } as const;
  }
  const mask = await sourceOf(tx, viewer, { name: 'maskAssetId', globalId: maskAssetId });
  if (!('id' in mask)) throw new BadInput(mask);
  return { kind: 'INPAINT', sourceId: source.id, maskId: mask.id, strength } as const;
}

/** The one that is asked for, where there is one. */
async function modelsFor(
  { findModel, listModels, defaultModel }: RequestDeps,
  { model }: AskedSettings,
): Promise<Models> {
  const found = await findModel(model ?? defaultModel);
  return { models: found ? [found] : await listModels(), defaultModel };
}

/** Of what stands beside the settings. */
function problemsBeside(input: GenerateInput): Mismatch[] {
  const { clientReference, idempotencyKey, waitSeconds } = generateLimits;
  return [
    ...referenceProblems(['clientReference'], input.clientReference, clientReference),
    ...nameProblems(['idempotencyKey'], input.idempotencyKey, idempotencyKey),
    ...numberProblems(['waitSeconds'], input.waitSeconds, waitSeconds),
  ];
}

/**
 * One request of a user after the other: of two with one key, or two when one more may wait, the second one sees
 * the first one's row. The counter of events in this row is raised by the same transaction, so no further row is
 * locked.
 */
export async function lockOwner(tx: Prisma.TransactionClient, ownerId: string): Promise<void> {
  await tx.$executeRaw`SELECT 1 FROM "User" WHERE "id" = ${ownerId}::uuid FOR NO KEY UPDATE`;
}

export async function findByKey(
  tx: Prisma.TransactionClient,
  ownerId: string,
  idempotencyKey: string | null,
): Promise<Generation | null> {
  if (idempotencyKey === null) return null;
  return tx.generation.findUnique({
    where: { ownerId_idempotencyKey: { ownerId, idempotencyKey } },
  });
}

export function idempotencyConflict(key: string): BadInput {
  return new BadInput({
    path: ['idempotencyKey'],
    code: 'IDEMPOTENCY_CONFLICT',
    expected: `the input that came first with the key "${key}"`,
    got: { phrase: 'another one' },
  });
}

/** Null where the client named something that is no id of a project. */
type AskedProject = { readonly id: string | null; readonly named: string };

function projectOf(viewer: Viewer, globalId: string | null | undefined): AskedProject {
  if (globalId != null) return { id: rowIdOf('Project', globalId), named: globalId };
  return { id: viewer.defaultProjectId, named: viewer.defaultProjectId };
}

/** "Not yours" and "not there" are one answer. */
async function projectProblems(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  { id, named }: AskedProject,
): Promise<Mismatch[]> {
  if (id !== null) {
    const where = { id, ownerId: viewer.id, trashedAt: null };
    if (await tx.project.findUnique({ where, select: { id: true } })) return [];
  }
  return [{ path: ['projectId'], code: 'NOT_FOUND', expected: 'the id of a project', got: named }];
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
