import 'reflect-metadata';
import { Field, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { describe, enumOf } from './enumeration.ts';

export const PreviewFormat = enumOf(['WEBP', 'JPEG']);
export type PreviewFormat = keyof typeof PreviewFormat;
registerEnumType(PreviewFormat, {
  name: 'PreviewFormat',
  description: 'What frames are packed as.',
  valuesConfig: describe<PreviewFormat>({
    WEBP: 'Smaller.',
    JPEG: 'For what cannot show WebP.',
  }),
});

@InputType({ description: 'How frames are to come.' })
export class PreviewOptions {
  @Field(() => PreviewFormat, { description: 'What they are packed as.', defaultValue: 'WEBP' })
  format!: PreviewFormat;

  @Field(() => Int, {
    nullable: true,
    description:
      "Longest side in pixels, at most the image's own; the latent's own size costs least and is the default.",
  })
  maxSize?: number | null;

  @Field(() => Int, {
    description:
      'At most one frame of an image per this many milliseconds; state changes are never held back.',
    defaultValue: 250,
  })
  everyMs!: number;
}

@ObjectType({ simpleResolvers: true, description: 'An image as it stands after a step.' })
export class Preview {
  @Field(() => Int, { description: 'Which image of the generation.' })
  index!: number;

  @Field(() => Int, { description: 'After how many steps.' })
  step!: number;

  @Field(() => Int, { description: 'Pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Pixels.' })
  height!: number;

  @Field(() => String, { description: 'data: URL, ready for an <img>.' })
  dataUrl!: string;
}
