import type { ChangeSteps } from './change.ts';

/** An asset, and where it is. */
export type PlacedAsset = { readonly id: string; readonly projectId: string };

/** One event for each project that the assets are in, or were. */
export function recordAssets(
  { record }: Pick<ChangeSteps, 'record'>,
  ownerId: string,
  type: 'AssetsChanged' | 'AssetsDeleted',
  assets: readonly PlacedAsset[],
): void {
  const projects = new Map<string, Set<string>>();
  for (const { id, projectId } of assets) {
    projects.set(projectId, (projects.get(projectId) ?? new Set()).add(id));
  }
  for (const [projectId, ids] of projects) {
    record({ ownerId, projectId, type, payload: { assetIds: [...ids] } });
  }
}
