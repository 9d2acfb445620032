import { BadInput } from '../../errors.ts';
import type { Generation } from '../../generated/prisma/client.ts';
import { checkQuotas, type Quotas } from '../access/quotas.ts';
import { keyIdOf, type Viewer } from '../access/viewer.ts';
import { type ChangeDeps, change } from '../event-log/change.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems } from '../input/text.ts';
import { mustFind } from './find.ts';
import { generateLimits } from './limits.ts';
import { findByKey, idempotencyConflict, lockOwner } from './request.ts';
import { subjectOf } from './transition.ts';

export type RetryInput = { readonly id: string; readonly idempotencyKey?: string | null };

/**
 * A generation that failed or was cancelled again, with the same settings and seed.
 * @throws NotFound, BadInput where it has another status, DomainError QUEUE_FULL, QUOTA_EXCEEDED
 */
export async function retry(
  deps: ChangeDeps & { readonly quotas: Quotas },
  viewer: Viewer,
  { id: globalId, idempotencyKey: key = null }: RetryInput,
): Promise<{ generation: Generation; replayed: boolean }> {
  refuse(nameProblems(['idempotencyKey'], key, generateLimits.idempotencyKey));
  const of = await mustFind(deps.client, viewer, globalId);
  return change(deps, async ({ tx, record, publish }) => {
    await lockOwner(tx, viewer.id);
    const earlier = await findByKey(tx, viewer.id, key);
    if (earlier !== null) {
      if (earlier.retryOfId !== of.id) throw idempotencyConflict(key ?? '');
      return { generation: earlier, replayed: true };
    }
    const where = { id: of.projectId, trashedAt: null };
    if (of.trashedAt !== null || (await tx.project.count({ where })) === 0) throw inTrash();
    if (of.status !== 'FAILED' && of.status !== 'CANCELED') throw notRetryable(of);
    if (!hasItsImages(of)) throw lacksImages();
    await checkQuotas(tx, deps.quotas, { ownerId: viewer.id, count: of.count });
    const { ownerId, projectId, kind, settings, prompt, model, sampler, seed } = of;
    const { width, height, steps, count, priority, clientReference, sourceId, maskId, strength } =
      of;
    const generation = await tx.generation.create({
      data: {
        ...{ ownerId, projectId, kind, prompt, model, sampler, seed, settings: settings ?? {} },
        ...{ width, height, steps, count, priority, clientReference, sourceId, maskId, strength },
        ...{ apiKeyId: keyIdOf(viewer), idempotencyKey: key, retryOfId: of.id },
      },
    });
    record({ ...subjectOf(generation), type: 'GenerationQueued' });
    publish('runners', { type: 'queued' });
    return { generation, replayed: false };
  });
}

/** What it starts from may have been deleted for good. */
function hasItsImages({ kind, sourceId, maskId }: Generation): boolean {
  if (kind === 'TEXT_TO_IMAGE') return true;
  return sourceId !== null && (kind !== 'INPAINT' || maskId !== null);
}

function lacksImages(): BadInput {
  const expected = 'a generation whose image to start from, and mask, were not deleted';
  return new BadInput({ path: ['id'], expected, got: { phrase: 'one whose image was' } });
}

function inTrash(): BadInput {
  const expected = 'a generation that is not in the trash, nor its project; restore it first';
  return new BadInput({ path: ['id'], expected, got: { phrase: 'one that is' } });
}

function notRetryable({ status }: Generation): BadInput {
  const expected = 'a generation that has failed or was cancelled';
  return new BadInput({ path: ['id'], expected, got: { phrase: `one that is ${status}` } });
}
