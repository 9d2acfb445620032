import 'reflect-metadata';
import { Field, Float, ID, InputType } from 'type-graphql';
import { fixedDefault, settingNames, standardOf } from '../inference/request.ts';
import { addSettingField, inputDescription } from './setting-fields.ts';

@InputType({ description: 'Image to start from.' })
export class ImageInput {
  @Field(() => ID, {
    description:
      'Global id of an asset of the viewer. It is scaled to fill width and height, and what lies outside is cut off.',
  })
  assetId!: string;

  @Field(() => ID, {
    nullable: true,
    description:
      'Global id of an asset that is the mask, scaled as the image is: it is repainted where that is white, kept pixel for pixel where it is black, and mixed in between. Default: none, all of it is made anew.',
  })
  maskAssetId?: string | null;

  @Field(() => Float, {
    description:
      'Part of the denoising steps that is taken, above 0 to 1: at 1 little of the image is left. At least one step must be.',
    defaultValue: 0.6,
  })
  strength!: number;
}

@InputType({
  description:
    'Everything that the pixels of the images depend on. What is left out, or null, has the default.',
})
export class SettingsInput {
  @Field(() => ImageInput, {
    nullable: true,
    description:
      'Image to start from (image to image). Default: none, the image is made from text alone.',
  })
  image?: ImageInput | null;
}

for (const name of settingNames) {
  const nullable = fixedDefault(name) !== undefined || standardOf(name) !== undefined;
  addSettingField(SettingsInput.prototype, name, { nullable, description: inputDescription(name) });
}
