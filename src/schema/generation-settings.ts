import 'reflect-metadata';
import { Field, Float, Int, ObjectType } from 'type-graphql';
import type { Sampler } from '../inference/request.ts';
import { SamplerName } from './sampler.ts';
import { Seed } from './scalars.ts';

@ObjectType({
  simpleResolvers: true,
  description: 'What was asked, complete: every default filled in.',
})
export class GenerationSettings {
  @Field(() => String, { description: 'What is to be seen.' })
  prompt!: string;

  @Field(() => String, { nullable: true, description: 'What is not to be seen.' })
  negativePrompt!: string | null;

  @Field(() => Boolean, { description: "Normalised as the model's training captions were." })
  cleanCaption!: boolean;

  @Field(() => Int, { description: 'Pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Pixels.' })
  height!: number;

  @Field(() => Boolean, { description: 'The size was taken as it was asked for.' })
  exactSize!: boolean;

  @Field(() => Int, { description: 'Denoising steps of each image.' })
  steps!: number;

  @Field(() => Float, { description: 'How closely the prompt is followed.' })
  guidanceScale!: number;

  @Field(() => Float, { description: 'Guidance acts from this fraction of the way on.' })
  guidanceStart!: number;

  @Field(() => Float, { description: 'Guidance acts up to this fraction of the way.' })
  guidanceEnd!: number;

  @Field(() => SamplerName, { description: 'How the noise is taken away.' })
  sampler!: Sampler;

  @Field(() => Seed, { description: 'Of the first image; image i has seed + i.' })
  seed!: bigint;

  @Field(() => Int, { description: 'Images.' })
  count!: number;
}
