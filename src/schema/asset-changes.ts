import 'reflect-metadata';
import type { FileUpload } from 'graphql-upload/processRequest.mjs';
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { AssetRole } from '../generated/prisma/enums.ts';
import { assetLimits } from '../services/library/limits.ts';
import { changeIds } from '../services/relay/limits.ts';
import { Asset } from './asset.ts';
import { Upload } from './scalars.ts';
import { Needs } from './scope.ts';

@InputType({ description: 'Input of `updateAssets`. What is left out stays as it is.' })
export class UpdateAssetsInput {
  @Field(() => [ID], {
    description: `Global ids of the assets, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];

  @Field(() => ID, {
    nullable: true,
    description: 'Global id of the project that they are moved to.',
  })
  projectId?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Whether they are marked as favorites.' })
  favorite?: boolean | null;

  @Field(() => [String], {
    nullable: true,
    description: `Tags to add, each of ${assetLimits.tag.min} to ${assetLimits.tag.max} characters; an asset has at most ${assetLimits.tags.max}.`,
  })
  addTags?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'Tags to remove.' })
  removeTags?: string[] | null;

  @Field(() => String, {
    nullable: true,
    description: `New title, ${assetLimits.title.min} to ${assetLimits.title.max} characters. Null removes it.`,
  })
  title?: string | null;
}

@InputType({ description: 'Input of `trashAssets`.' })
export class TrashAssetsInput {
  @Field(() => [ID], {
    description: `Global ids of the assets, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];
}

@InputType({ description: 'Input of `restoreAssets`.' })
export class RestoreAssetsInput {
  @Field(() => [ID], {
    description: `Global ids of the assets, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];
}

@InputType({ description: 'Input of `deleteAssets`.' })
export class DeleteAssetsInput {
  @Field(() => [ID], {
    description: `Global ids of the assets, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `updateAssets`.' })
export class UpdateAssetsPayload {
  @Field(() => [Asset], { description: 'The assets, in the order of the ids.' })
  assets!: Asset[];
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `trashAssets`.' })
export class TrashAssetsPayload {
  @Field(() => [Asset], { description: 'The assets, in the order of the ids.' })
  assets!: Asset[];
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `restoreAssets`.' })
export class RestoreAssetsPayload {
  @Field(() => [Asset], { description: 'The assets, in the order of the ids.' })
  assets!: Asset[];
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `deleteAssets`.' })
export class DeleteAssetsPayload {
  @Field(() => [ID], { description: 'Global ids of the assets that were deleted.' })
  deletedAssetIds!: string[];
}

@InputType({ description: 'Input of `uploadAsset`.' })
export class UploadAssetInput {
  @Field(() => ID, {
    nullable: true,
    description: "Global id of the project that it goes to. Default: the viewer's default project.",
  })
  projectId?: string | null;

  @Field(() => Upload, { description: 'The file: PNG, JPEG, WebP or AVIF.' })
  file!: Promise<FileUpload>;

  @Field(() => AssetRole, { description: 'What it is used as.', defaultValue: 'IMAGE' })
  role!: AssetRole;

  @Field(() => String, {
    nullable: true,
    description: `Title, ${assetLimits.title.min} to ${assetLimits.title.max} characters.`,
  })
  title?: string | null;

  @Field(() => [String], {
    nullable: true,
    description: `Tags, at most ${assetLimits.tags.max}, each of ${assetLimits.tag.min} to ${assetLimits.tag.max} characters.`,
  })
  tags?: string[] | null;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `uploadAsset`.' })
export class UploadAssetPayload {
  @Field(() => Asset, { description: 'The new asset.' })
  asset!: Asset;
}
