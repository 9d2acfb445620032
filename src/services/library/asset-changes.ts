import { BadInput, type Mismatch } from '../../errors.ts';
import type { Asset, Prisma } from '../../generated/prisma/client.ts';
import type { Storage } from '../../storage/storage.ts';
import { type Actor, note } from '../access/audit.ts';
import { lockUser } from '../access/keys.ts';
import type { Viewer } from '../access/viewer.ts';
import { recordAssets } from '../event-log/assets.ts';
import { type ChangeDeps, type ChangeSteps, change } from '../event-log/change.ts';
import { deleteAssetRows, deleteFiles } from '../generations/deletion.ts';
import { refuse } from '../input/problems.ts';
import { nameProblems } from '../input/text.ts';
import { idProblems, NotFound, requireRowId, toGlobalId } from '../relay/global-id.ts';
import { idsProblems } from '../relay/ids.ts';
import { assetLimits } from './limits.ts';
import { tagProblems } from './tags.ts';

export type AssetChangeDeps = ChangeDeps & { readonly storage: Storage };

export type UpdateAssetsInput = {
  readonly ids: readonly string[];
  /** Moves them. */
  readonly projectId?: string | null;
  readonly favorite?: boolean | null;
  readonly addTags?: readonly string[] | null;
  readonly removeTags?: readonly string[] | null;
  /** Null clears it; left out, it stays. */
  readonly title?: string | null;
};

type Answer = { readonly assets: Asset[] };
type WithViewer = Actor & { readonly viewer: Viewer };

export type AssetChanges = {
  /** All or nothing. @throws BadInput, NotFound of the first that is missing */
  update(viewer: Viewer, input: UpdateAssetsInput): Promise<Answer>;
  trash(viewer: Viewer, ids: readonly string[]): Promise<Answer>;
  /** @throws BadInput where the project of one of them is in the trash */
  restore(viewer: Viewer, ids: readonly string[]): Promise<Answer>;
  /** For good, with their files. @throws BadInput where one of them is not in the trash */
  remove(actor: WithViewer, ids: readonly string[]): Promise<{ deletedAssetIds: string[] }>;
};

export function createAssetChanges(deps: AssetChangeDeps): AssetChanges {
  const many = (
    viewer: Viewer,
    ids: readonly string[],
    make: (steps: ChangeSteps, rows: Asset[]) => Promise<unknown>,
  ): Promise<Answer> =>
    change(deps, async (steps) => {
      const rows = await lockAssets(steps.tx, viewer, ids);
      await make(steps, rows);
      const changed = await inOrder(steps.tx, rows);
      recordAssets(steps, viewer.id, 'AssetsChanged', [...rows, ...changed]);
      return { assets: changed };
    });
  return {
    async update(viewer, input) {
      const { ids, projectId, addTags, removeTags, title } = input;
      refuse([
        ...idsProblems('Asset', ids),
        ...idProblems('Project', projectId, ['projectId']),
        ...tagProblems(['addTags'], addTags, assetLimits.tags.max),
        ...tagProblems(['removeTags'], removeTags, assetLimits.tags.max),
        ...nameProblems(['title'], title, assetLimits.title),
      ]);
      return many(viewer, ids, async ({ tx }, rows) => {
        const project = projectId == null ? null : await projectFor(tx, viewer, projectId);
        const add = (addTags ?? []).map((tag) => tag.trim());
        const remove = (removeTags ?? []).map((tag) => tag.trim());
        refuse(rows.flatMap((row) => tooManyTags(row, add, remove)));
        const rowIds = rows.map(({ id }) => id);
        await tx.asset.updateMany({
          where: { id: { in: rowIds } },
          data: {
            ...(project === null ? {} : { projectId: project }),
            ...(input.favorite == null ? {} : { isFavorite: input.favorite }),
            ...(title === undefined ? {} : { title: title?.trim() ?? null }),
          },
        });
        if (add.length + remove.length > 0) {
          await tx.$executeRaw`
            UPDATE "Asset" SET "tags" = (
              SELECT coalesce(array_agg(t."tag" ORDER BY t."n"), '{}') FROM (
                SELECT "tag", min("n") AS "n" FROM unnest("tags" || ${add}::text[]) WITH ORDINALITY AS u("tag", "n")
                WHERE NOT "tag" = ANY(${remove}::text[]) GROUP BY "tag"
              ) t)
            WHERE "id" = ANY(${rowIds}::uuid[])`;
        }
      });
    },
    async trash(viewer, ids) {
      refuse(idsProblems('Asset', ids));
      return many(viewer, ids, ({ tx }, rows) =>
        tx.asset.updateMany({
          where: { id: { in: rows.map(({ id }) => id) }, trashedAt: null },
          data: { trashedAt: new Date() },
        }),
      );
    },
    async restore(viewer, ids) {
      refuse(idsProblems('Asset', ids));
      return many(viewer, ids, async ({ tx }, rows) => {
        const rowIds = rows.map(({ id }) => id);
        const where = { id: { in: rowIds }, project: { trashedAt: { not: null } } };
        const stuck = await tx.asset.findFirst({ where, select: { id: true } });
        if (stuck !== null) throw inTrashedProject(toGlobalId('Asset', stuck.id));
        await tx.asset.updateMany({ where: { id: { in: rowIds } }, data: { trashedAt: null } });
      });
    },
    async remove(actor, ids) {
      const { viewer } = actor;
      refuse(idsProblems('Asset', ids));
      const deleted = await change(deps, async ({ tx, record }) => {
        const rows = await lockAssets(tx, viewer, ids);
        const kept = rows.find(({ trashedAt }) => trashedAt === null);
        if (kept !== undefined) throw notInTrash(toGlobalId('Asset', kept.id));
        const gone = await deleteAssetRows(
          tx,
          viewer.id,
          rows.map(({ id }) => id),
        );
        const details = { assets: String(gone.length) };
        await note(tx, actor, { action: 'assets.delete', details });
        recordAssets({ record }, viewer.id, 'AssetsDeleted', gone);
        return gone;
      });
      await deleteFiles(deps.storage, deleted);
      return { deletedAssetIds: [...new Set(ids)] };
    },
  };
}

/** What users do to their library is done one after the other, as what they ask for is: see `lockUser`. @throws NotFound */
async function lockAssets(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Asset[]> {
  await lockUser(tx, viewer.id);
  const rowIds = [...new Set(ids.map((id) => requireRowId('Asset', id)))];
  const rows = await tx.asset.findMany({ where: { id: { in: rowIds }, ownerId: viewer.id } });
  const found = new Map(rows.map((row) => [row.id, row]));
  return rowIds.map((id) => {
    const row = found.get(id);
    if (row === undefined) throw new NotFound('an asset', toGlobalId('Asset', id), ['ids']);
    return row;
  });
}

async function inOrder(tx: Prisma.TransactionClient, rows: readonly Asset[]): Promise<Asset[]> {
  const now = await tx.asset.findMany({ where: { id: { in: rows.map(({ id }) => id) } } });
  const found = new Map(now.map((row) => [row.id, row]));
  return rows.map((row) => found.get(row.id) ?? row);
}

/** @throws NotFound */
async function projectFor(
  tx: Prisma.TransactionClient,
  viewer: Viewer,
  globalId: string,
): Promise<string> {
  const id = requireRowId('Project', globalId, ['projectId']);
  const where = { id, ownerId: viewer.id, trashedAt: null };
  const project = await tx.project.findUnique({ where, select: { id: true } });
  if (project === null) throw new NotFound('a project', globalId, ['projectId']);
  return project.id;
}

function tooManyTags(
  { id, tags }: Asset,
  add: readonly string[],
  remove: readonly string[],
): Mismatch[] {
  const { max } = assetLimits.tags;
  const got = new Set([...tags, ...add].filter((tag) => !remove.includes(tag))).size;
  if (got <= max) return [];
  const expected = `at most ${max} tags of one asset`;
  const phrase = `${got} of ${toGlobalId('Asset', id)}`;
  return [{ path: ['addTags'], expected, got: { phrase, value: got }, max }];
}

function inTrashedProject(id: string): BadInput {
  const expected = 'assets whose project is not in the trash; restore the project first';
  return new BadInput({ path: ['ids'], expected, got: id });
}

function notInTrash(id: string): BadInput {
  return new BadInput({ path: ['ids'], expected: 'assets that are in the trash', got: id });
}
