import 'reflect-metadata';
import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import {
  DeleteAssetsInput,
  DeleteAssetsPayload,
  RestoreAssetsInput,
  RestoreAssetsPayload,
  TrashAssetsInput,
  TrashAssetsPayload,
  UpdateAssetsInput,
  UpdateAssetsPayload,
  UploadAssetInput,
  UploadAssetPayload,
} from '../schema/asset-changes.ts';
import { Needs } from '../schema/scope.ts';
import type { Context } from './context.ts';

@Resolver()
export class AssetChangesResolver {
  @Needs('WRITE')
  @Mutation(() => UpdateAssetsPayload, {
    nullable: true,
    description: 'Marks, tags, names or moves assets: all of them or none.',
  })
  updateAssets(
    @Arg('input', () => UpdateAssetsInput, { description: 'What to change.' })
    input: UpdateAssetsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.assets.update(viewer, input);
  }

  @Needs('WRITE')
  @Mutation(() => TrashAssetsPayload, {
    nullable: true,
    description: 'Moves assets to the trash. After `TRASH_RETENTION_DAYS` they are deleted.',
  })
  trashAssets(
    @Arg('input', () => TrashAssetsInput, { description: 'The assets.' }) input: TrashAssetsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.assets.trash(viewer, input.ids);
  }

  @Needs('WRITE')
  @Mutation(() => RestoreAssetsPayload, {
    nullable: true,
    description: 'Takes assets out of the trash.',
  })
  restoreAssets(
    @Arg('input', () => RestoreAssetsInput, { description: 'The assets.' })
    input: RestoreAssetsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.assets.restore(viewer, input.ids);
  }

  @Needs('WRITE')
  @Mutation(() => DeleteAssetsPayload, {
    nullable: true,
    description:
      'Deletes assets for good that are in the trash, files too. Links to them give 404 at once.',
  })
  deleteAssets(
    @Arg('input', () => DeleteAssetsInput, { description: 'The assets.' }) input: DeleteAssetsInput,
    @Ctx() { services, viewer, address }: Context,
  ) {
    return services.assets.remove({ viewer, address }, input.ids);
  }

  @Needs('WRITE')
  @Mutation(() => UploadAssetPayload, {
    nullable: true,
    description:
      'Stores an image from elsewhere. Its rotation is applied; place, camera and other metadata are removed, settings of image generators are kept in `Asset.embedded`.',
  })
  uploadAsset(
    @Arg('input', () => UploadAssetInput, { description: 'The file, and what to call it.' })
    input: UploadAssetInput,
    @Ctx() { services, viewer, signal }: Context,
  ) {
    return services.assets.upload(viewer, input, signal);
  }
}
