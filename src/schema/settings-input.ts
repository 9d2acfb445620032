import 'reflect-metadata';
import { Field, Float, InputType, Int } from 'type-graphql';
import { defaults, limits, type Sampler } from '../inference/request.ts';
import { SamplerName } from './sampler.ts';
import { Seed } from './scalars.ts';

const { size, steps, guidanceScale, guidance, count, promptCharacters } = limits;

@InputType({
  description:
    "What the picture depends on, and nothing else. Everything left out takes the model's default.",
})
export class SettingsInput {
  @Field(() => String, {
    description: `What is to be seen: at most ${promptCharacters.max} characters.`,
  })
  prompt!: string;

  @Field(() => String, {
    nullable: true,
    description: `What is not to be seen: at most ${promptCharacters.max} characters.`,
  })
  negativePrompt?: string | null;

  @Field(() => Boolean, {
    nullable: true,
    description: `Normalise the prompt as the model's training captions were (lower case, no URLs, no HTML …); ${defaults.cleanCaption} where left out.`,
  })
  cleanCaption?: boolean | null;

  @Field(() => String, {
    nullable: true,
    description:
      'A `Model.name`; the default model where left out. Names travel between installations, ids do not.',
  })
  model?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: `Pixels, ${size.min} to ${size.max}. Snapped to the model's nearest aspect-ratio bin unless \`exactSize\`.`,
  })
  width?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: `Pixels, ${size.min} to ${size.max}. Snapped as \`width\` is.`,
  })
  height?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    description: `Take width and height as they are: multiples of ${limits.sizeMultiple}, with at most ${limits.exactSizeFactor} times the pixels of the model's largest size.`,
  })
  exactSize?: boolean | null;

  @Field(() => Int, {
    nullable: true,
    description: `Denoising steps, ${steps.min} to ${steps.max}; some samplers take fewer.`,
  })
  steps?: number | null;

  @Field(() => Float, {
    nullable: true,
    description: `How closely the prompt is followed, ${guidanceScale.min} to ${guidanceScale.max}; 1 and below is without guidance, and twice as fast.`,
  })
  guidanceScale?: number | null;

  @Field(() => Float, {
    nullable: true,
    description: `Guidance acts from this fraction of the way on, ${guidance.min} to ${guidance.max}.`,
  })
  guidanceStart?: number | null;

  @Field(() => Float, {
    nullable: true,
    description: `Guidance acts up to this fraction of the way, ${guidance.min} to ${guidance.max}.`,
  })
  guidanceEnd?: number | null;

  @Field(() => SamplerName, { nullable: true, description: 'How the noise is taken away.' })
  sampler?: Sampler | null;

  @Field(() => Seed, {
    nullable: true,
    description: 'Omit for a random one; the one used is always returned.',
  })
  seed?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: `Images in this generation, ${count.min} to ${count.max}; image i has seed + i.`,
  })
  count?: number | null;
}
