import 'reflect-metadata';
import { Field, Float, ObjectType } from 'type-graphql';
import { settingNames } from '../inference/request.ts';
import { Asset } from './asset.ts';
import { Needs } from './scope.ts';
import { addSettingField, outputDescription } from './setting-fields.ts';

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'The settings of a generation, complete: every default is filled in.',
})
export class GenerationSettings {}

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'Image that a generation starts from.' })
export class ImageSettings {
  @Field(() => Asset, {
    nullable: true,
    description: 'The image; null once it was deleted for good.',
  })
  asset!: Asset | null;

  @Field(() => Asset, {
    nullable: true,
    description: 'The mask; null without one, and once it was deleted for good.',
  })
  mask!: Asset | null;

  @Field(() => Float, { description: 'Part of the denoising steps that is taken.' })
  strength!: number;
}

// `model` is an object here, which the resolver finds by its name.
for (const name of settingNames.filter((one) => one !== 'model')) {
  const nullable = name === 'negativePrompt';
  addSettingField(GenerationSettings.prototype, name, {
    nullable,
    description: outputDescription(name),
  });
}
