import 'reflect-metadata';
import { Field, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { previewLimits } from '../services/subscriptions/limits.ts';
import { describe, enumOf } from './enumeration.ts';
import { Needs } from './scope.ts';

export const PreviewFormat = enumOf(['WEBP', 'JPEG']);
export type PreviewFormat = keyof typeof PreviewFormat;
registerEnumType(PreviewFormat, {
  name: 'PreviewFormat',
  description: 'File format of preview frames.',
  valuesConfig: describe<PreviewFormat>({
    WEBP: 'WebP, the smaller one.',
    JPEG: 'JPEG, for clients without WebP.',
  }),
});

@InputType({ description: 'Options of preview frames.' })
export class PreviewOptions {
  @Field(() => PreviewFormat, { description: 'File format.', defaultValue: 'WEBP' })
  format!: PreviewFormat;

  @Field(() => Int, {
    nullable: true,
    description: `Longest side in pixels, ${previewLimits.maxSize.min} to ${previewLimits.maxSize.max}, and not larger than the image. Default: the size of the latents, an eighth of the image, which costs least.`,
  })
  maxSize?: number | null;

  @Field(() => Int, {
    description: `Least time between two frames of one image in milliseconds, ${previewLimits.everyMs.min} to ${previewLimits.everyMs.max}. Other events are not delayed.`,
    defaultValue: previewLimits.everyMs.default,
  })
  everyMs!: number;
}

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'The estimate of an unfinished image after a step.',
})
export class Preview {
  @Field(() => Int, { description: 'Index of the image in its generation, from 0.' })
  index!: number;

  @Field(() => Int, { description: 'Number of finished steps of the image.' })
  step!: number;

  @Field(() => Int, { description: 'Width in pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Height in pixels.' })
  height!: number;

  @Field(() => String, { description: 'The frame as a data: URL, for the src of an <img>.' })
  dataUrl!: string;
}
