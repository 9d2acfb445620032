import { BadInput } from '../../errors.ts';
import type { Prisma, Project } from '../../generated/prisma/client.ts';
import { type Actor, note } from '../access/audit.ts';
import { lockUser } from '../access/keys.ts';
import type { Viewer } from '../access/viewer.ts';
import { recordAssets } from '../event-log/assets.ts';
import { change } from '../event-log/change.ts';
import { deleteAssetRows, deleteFiles, deleteGenerationRows } from '../generations/deletion.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems, textProblems } from '../input/text.ts';
import { idProblems, NotFound, requireRowId } from '../relay/global-id.ts';
import { changeIds } from '../relay/limits.ts';
import type { AssetChangeDeps } from './asset-changes.ts';
import { projectLimits } from './limits.ts';

export type UpdateProjectInput = {
  readonly id: string;
  readonly name?: string | null;
  /** Null clears it; left out, it stays. */
  readonly description?: string | null;
  /** Null clears it; left out, it stays. */
  readonly coverAssetId?: string | null;
};

export type ProjectChanges = {
  /** @throws BadInput, NotFound */
  update(viewer: Viewer, input: UpdateProjectInput): Promise<{ project: Project }>;
  /** With all that is in it. @throws BadInput for the default project, and where something in it waits or runs */
  trash(viewer: Viewer, globalId: string): Promise<{ project: Project }>;
  /** With what was moved to the trash together with it. */
  restore(viewer: Viewer, globalId: string): Promise<{ project: Project }>;
  /** For good, with files. @throws BadInput where it is not in the trash */
  remove(
    actor: Actor & { viewer: Viewer },
    globalId: string,
  ): Promise<{ deletedProjectId: string }>;
};

export function createProjectChanges(deps: AssetChangeDeps): ProjectChanges {
  return {
    async update(viewer, input) {
      const { id: globalId, name, description, coverAssetId } = input;
      refuse([
        ...nameProblems(['name'], name, projectLimits.name),
        ...textProblems(['description'], description, projectLimits.description),
        ...idProblems('Asset', coverAssetId, ['coverAssetId']),
      ]);
      return change(deps, async ({ tx }) => {
        const { id } = await lockProject(tx, viewer, globalId);
        const coverId =
          coverAssetId == null ? coverAssetId : await coverFor(tx, viewer, coverAssetId);
        const project = await tx.project.update({
          where: { id },
          data: {
            ...(name == null ? {} : { name: name.trim() }),
            ...(description === undefined ? {} : { description }),
            ...(coverId === undefined ? {} : { coverId }),
            updatedAt: new Date(),
          },
        });
        return { project };
      });
    },
    trash(viewer, globalId) {
      return change(deps, async ({ tx, record }) => {
        const found = await lockProject(tx, viewer, globalId);
        if (found.defaultOf !== null) throw isDefault(globalId);
        if (found.trashedAt !== null) return { project: found };
        const { id: projectId } = found;
        const status = { in: ['QUEUED', 'RUNNING'] as ('QUEUED' | 'RUNNING')[] };
        const open = await tx.generation.count({ where: { projectId, status } });
        if (open > 0) throw isBusy(open);
        // One time for all: what was in the trash before stays there when the project comes back.
        const together = { data: { trashedAt: new Date() } };
        await tx.generation.updateMany({ where: { projectId, trashedAt: null }, ...together });
        await tx.asset.updateMany({ where: { projectId, trashedAt: null }, ...together });
        const project = await tx.project.update({ where: { id: projectId }, ...together });
        record({ ownerId: viewer.id, projectId, type: 'AssetsChanged', payload: { assetIds: [] } });
        return { project };
      });
    },
    restore(viewer, globalId) {
      return change(deps, async ({ tx, record }) => {
        const { id: projectId, trashedAt, ...found } = await lockProject(tx, viewer, globalId);
        if (trashedAt === null) return { project: { ...found, id: projectId, trashedAt } };
        const back = { data: { trashedAt: null } };
        await tx.generation.updateMany({ where: { projectId, trashedAt }, ...back });
        await tx.asset.updateMany({ where: { projectId, trashedAt }, ...back });
        const project = await tx.project.update({ where: { id: projectId }, ...back });
        record({ ownerId: viewer.id, projectId, type: 'AssetsChanged', payload: { assetIds: [] } });
        return { project };
      });
    },
    async remove(actor, globalId) {
      const { viewer } = actor;
      const projectId = requireRowId('Project', globalId);
      // In parts: a project of a million images is no one transaction. A crash leaves the rest in the trash.
      while (await deleteSomeAssets(deps, viewer, { projectId, globalId }));
      while (await deleteSomeGenerations(deps, viewer, { projectId, globalId }));
      await deps.client.$transaction(async (tx) => {
        await requireTrashed(tx, viewer, globalId);
        await note(tx, actor, { action: 'project.delete', targetId: projectId });
        await tx.project.deleteMany({ where: { id: projectId, ownerId: viewer.id } });
      });
      return { deletedProjectId: globalId };
    },
  };
}

/** Those that are in it at that moment: one may be moved to another project meanwhile. False where none is left. */
async function deleteSomeAssets(
  deps: AssetChangeDeps,
  viewer: Viewer,
  { projectId, globalId }: { projectId: string; globalId: string },
): Promise<boolean> {
  const deleted = await change(deps, async ({ tx, record }) => {
    await requireTrashed(tx, viewer, globalId);
    const rows = await tx.asset.findMany({ where: { projectId }, ...someIds });
    const ids = rows.map(({ id }) => id);
    const gone = await deleteAssetRows(tx, viewer.id, ids);
    recordAssets({ record }, viewer.id, 'AssetsDeleted', gone);
    return gone;
  });
  await deleteFiles(deps.storage, deleted);
  return deleted.length > 0;
}

async function deleteSomeGenerations(
  { client }: AssetChangeDeps,
  viewer: Viewer,
  { projectId, globalId }: { projectId: string; globalId: string },
): Promise<boolean> {
  return client.$transaction(async (tx) => {
    await requireTrashed(tx, viewer, globalId);
    const rows = await tx.generation.findMany({ where: { projectId }, ...someIds });
    const ids = rows.map(({ id }) => id);
    await deleteGenerationRows(tx, viewer.id, ids);
    return ids.length > 0;
  });
}

const someIds = { take: changeIds.max, select: { id: true } } as const;

/** It may have been restored meanwhile. @throws NotFound, BadInput */
async function requireTrashed(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  globalId: string,
): Promise<void> {
  const { trashedAt } = await lockProject(tx, viewer, globalId);
  if (trashedAt === null) throw notInTrash(globalId);
}

/** What users do to their library is done one after the other, as what they ask for is: see `lockUser`. @throws NotFound */
async function lockProject(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  globalId: string,
): Promise<Project> {
  const id = requireRowId('Project', globalId);
  await lockUser(tx, viewer.id);
  const project = await tx.project.findUnique({ where: { id, ownerId: viewer.id } });
  if (project === null) throw new NotFound('a project', globalId, ['id']);
  return project;
}

/** @throws NotFound */
async function coverFor(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  globalId: string,
): Promise<string> {
  const where = {
    id: requireRowId('Asset', globalId, ['coverAssetId']),
    ownerId: viewer.id,
    trashedAt: null,
  };
  const asset = await tx.asset.findUnique({ where, select: { id: true } });
  if (asset === null) throw new NotFound('an asset', globalId, ['coverAssetId']);
  return asset.id;
}

function isDefault(id: string): BadInput {
  const expected = 'another project than the default one, which images go to where none is named';
  return new BadInput({ path: ['id'], expected, got: id });
}

function isBusy(open: number): BadInput {
  const expected = 'a project in which no generation waits or runs; cancel them first';
  return new BadInput({ path: ['id'], expected, got: { phrase: `${open} that do` } });
}

function notInTrash(id: string): BadInput {
  return new BadInput({ path: ['id'], expected: 'a project that is in the trash', got: id });
}
