import { BadInput } from '../../errors.ts';
import type { Generation, Prisma } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';
import { type Actor, note } from '../access/audit.ts';
import { lockUser } from '../access/keys.ts';
import type { Viewer } from '../access/viewer.ts';
import { recordAssets } from '../event-log/assets.ts';
import { type ChangeDeps, change } from '../event-log/change.ts';
import { refuse } from '../input/problems.ts';
import { NotFound, requireRowId, toGlobalId } from '../relay/global-id.ts';
import { idsProblems } from '../relay/ids.ts';
import { deleteAssetRows, deleteFiles, deleteGenerationRows } from './deletion.ts';
import { withoutSettings } from './find.ts';
import { released, subjectOf } from './transition.ts';

export type GenerationChangeDeps = ChangeDeps & { readonly storage: Storage };

/** Exactly one of the three. */
export type CancelMany = {
  readonly ids?: readonly string[] | null;
  readonly projectId?: string | null;
  readonly all?: boolean | null;
};

type Answer = { readonly generations: Generation[] };

export type GenerationChanges = {
  /** With their images. @throws BadInput where one of them waits or runs, NotFound */
  trash(viewer: Viewer, ids: readonly string[]): Promise<Answer>;
  /** With the images that went to the trash with them. */
  restore(viewer: Viewer, ids: readonly string[]): Promise<Answer>;
  /** For good, with the images and files that are in the trash, too. @throws BadInput where one of them is not in the trash */
  remove(
    actor: Actor & { viewer: Viewer },
    ids: readonly string[],
  ): Promise<{ deletedGenerationIds: string[] }>;
  /** What has ended by then stays as it is. */
  cancelMany(viewer: Viewer, which: CancelMany): Promise<{ canceledCount: number }>;
};

export function createGenerationChanges(deps: GenerationChangeDeps): GenerationChanges {
  const move = (
    viewer: Viewer,
    ids: readonly string[],
    make: (tx: Prisma.TransactionClient, rows: Generation[]) => Promise<void>,
  ): Promise<Answer> => {
    refuse(idsProblems('Generation', ids));
    return change(deps, async ({ tx, record }) => {
      const rows = await lockGenerations(tx, viewer, ids);
      await make(tx, rows);
      const where = { generationId: { in: rows.map(({ id }) => id) } };
      const images = await tx.asset.findMany({ where, select: { id: true, projectId: true } });
      recordAssets({ record }, viewer.id, 'AssetsChanged', images);
      return {
        generations: await rowsOf(
          tx,
          viewer,
          rows.map(({ id }) => id),
        ),
      };
    });
  };
  return {
    trash: (viewer, ids) =>
      move(viewer, ids, async (tx, rows) => {
        const open = rows.find(({ status }) => status === 'QUEUED' || status === 'RUNNING');
        if (open !== undefined) throw hasNotEnded(toGlobalId('Generation', open.id));
        const fresh = rows.filter(({ trashedAt }) => trashedAt === null).map(({ id }) => id);
        const together = { data: { trashedAt: new Date() } };
        await tx.generation.updateMany({ where: { id: { in: fresh } }, ...together });
        const where = { generationId: { in: fresh }, trashedAt: null };
        await tx.asset.updateMany({ where, ...together });
      }),
    restore: (viewer, ids) =>
      move(viewer, ids, async (tx, rows) => {
        const where = { id: { in: rows.map(({ id }) => id) } };
        const gone = { ...where, project: { trashedAt: { not: null } } };
        const stuck = await tx.generation.findFirst({ where: gone, select: { id: true } });
        if (stuck !== null) throw inTrashedProject(toGlobalId('Generation', stuck.id));
        await tx.$executeRaw`
          UPDATE "Asset" a SET "trashedAt" = NULL FROM "Generation" g
          WHERE g."id" = ANY(${where.id.in}::uuid[]) AND a."generationId" = g."id" AND a."trashedAt" = g."trashedAt"`;
        await tx.generation.updateMany({ where, data: { trashedAt: null } });
      }),
    async remove(actor, ids) {
      const { viewer } = actor;
      refuse(idsProblems('Generation', ids));
      const deleted = await change(deps, async ({ tx, record }) => {
        const rows = await lockGenerations(tx, viewer, ids);
        const kept = rows.find(({ trashedAt }) => trashedAt === null);
        if (kept !== undefined) throw notInTrash(toGlobalId('Generation', kept.id));
        const rowIds = rows.map(({ id }) => id);
        // Images that were restored, or moved to another project, stay.
        const where = { generationId: { in: rowIds }, trashedAt: { not: null } };
        const images = await tx.asset.findMany({ where, select: { id: true } });
        const gone = await deleteAssetRows(
          tx,
          viewer.id,
          images.map(({ id }) => id),
        );
        await deleteGenerationRows(tx, viewer.id, rowIds);
        const details = { generations: String(rows.length), assets: String(gone.length) };
        await note(tx, actor, { action: 'generations.delete', details });
        recordAssets({ record }, viewer.id, 'AssetsDeleted', gone);
        return gone;
      });
      await deleteFiles(deps.storage, deleted);
      return { deletedGenerationIds: [...new Set(ids)] };
    },
    async cancelMany(viewer, { ids, projectId, all }) {
      const given = [ids != null, projectId != null, all === true].filter(Boolean).length;
      if (given !== 1) throw notOneOfThree(given);
      refuse(ids == null ? [] : idsProblems('Generation', ids));
      const part = ids
        ? { id: { in: ids.map((id) => requireRowId('Generation', id, ['ids'])) } }
        : projectId
          ? { projectId: requireRowId('Project', projectId, ['projectId']) }
          : {};
      return change(deps, async ({ tx, record, publish }) => {
        const open = { ownerId: viewer.id, status: { in: ['QUEUED', 'RUNNING'] } } as const;
        const canceled = await tx.generation.updateManyAndReturn({
          where: { ...open, status: { in: [...open.status.in] }, ...part },
          data: { status: 'CANCELED', finishedAt: new Date(), ...released },
          select: { id: true, ownerId: true, projectId: true },
        });
        for (const row of canceled) {
          record({ ...subjectOf(row), type: 'GenerationCanceled' });
          publish('runners', { type: 'canceled', generationId: row.id });
        }
        return { canceledCount: canceled.length };
      });
    },
  };
}

/**
 * What users do to their library is done one after the other, as what they ask for is: see `lockUser`. The rows themselves
 * are not locked: those that have ended are changed by nobody else, and those that have not are refused. @throws NotFound
 */
async function lockGenerations(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Generation[]> {
  await lockUser(tx, viewer.id);
  const rowIds = [...new Set(ids.map((id) => requireRowId('Generation', id)))];
  return rowsOf(tx, viewer, rowIds);
}

/** In the order of the ids. @throws NotFound */
async function rowsOf(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  rowIds: readonly string[],
): Promise<Generation[]> {
  const where = { id: { in: [...rowIds] }, ownerId: viewer.id };
  const found = new Map((await withoutSettings(tx, { where })).map((row) => [row.id, row]));
  return rowIds.map((id) => {
    const row = found.get(id);
    if (row) return row;
    throw new NotFound('a generation', toGlobalId('Generation', id), ['ids']);
  });
}

function hasNotEnded(id: string): BadInput {
  const expected = 'generations that have ended; cancel those that wait or run first';
  return new BadInput({ path: ['ids'], expected, got: id });
}

function inTrashedProject(id: string): BadInput {
  const expected = 'generations whose project is not in the trash; restore the project first';
  return new BadInput({ path: ['ids'], expected, got: id });
}

function notInTrash(id: string): BadInput {
  return new BadInput({ path: ['ids'], expected: 'generations that are in the trash', got: id });
}

function notOneOfThree(given: number): BadInput {
  const expected = 'exactly one of ids, projectId and all: true';
  return new BadInput({ path: ['input'], expected, got: { phrase: `${given} of them` } });
}
