import 'reflect-metadata';
import { Field, Float, Int, ObjectType } from 'type-graphql';
import { GenerationKind } from '../generated/prisma/enums.ts';
import { limits, type Sampler } from '../inference/request.ts';
import { Node } from './node.ts';
import { SamplerName } from './sampler.ts';
import { Needs } from './scope.ts';

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'Defaults of a model for settings that are left out.',
})
export class ModelDefaults {
  @Field(() => Int, { description: 'Width in pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Height in pixels.' })
  height!: number;

  @Field(() => Int, { description: 'Number of denoising steps.' })
  steps!: number;

  @Field(() => Float, { description: 'Strength of classifier-free guidance.' })
  guidanceScale!: number;

  @Field(() => SamplerName, { description: 'Sampling algorithm.' })
  sampler!: Sampler;
}

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'Limits of the settings with a model.' })
export class ModelLimits {
  @Field(() => Int, { description: 'Most images in one generation.' })
  maxCount!: number;

  @Field(() => Int, { description: 'Fewest denoising steps.' })
  minSteps!: number;

  @Field(() => Int, { description: 'Most denoising steps.' })
  maxSteps!: number;

  @Field(() => Int, { description: 'Smallest width and height in pixels.' })
  minSize!: number;

  @Field(() => Int, {
    description: `Largest width and height in pixels. With \`exactSize\`, width times height is at most ${limits.exactSizeFactor} times that of the largest one in \`sizes\`.`,
  })
  maxSize!: number;

  @Field(() => Int, {
    description: 'With `exactSize`, width and height must be multiples of this.',
  })
  sizeMultiple!: number;

  @Field(() => Float, { description: 'Largest guidance scale.' })
  maxGuidanceScale!: number;
}

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'Size of an image.' })
export class Size {
  @Field(() => Int, { description: 'Width in pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Height in pixels.' })
  height!: number;
}

@Needs('READ')
@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'An installed model: a folder of weights.',
})
export class Model extends Node {
  @Field(() => String, { description: 'Name of the folder: the value of `settings.model`.' })
  name!: string;

  @Field(() => String, { description: 'Title for people.' })
  title!: string;

  @Field(() => String, { description: 'Description out of the folder; empty where it has none.' })
  description!: string;

  @Field(() => String, {
    nullable: true,
    description: 'License of the weights; null where the folder names none.',
  })
  license!: string | null;

  @Field(() => Boolean, { description: 'Whether it is used where no model is named.' })
  isDefault!: boolean;

  @Field(() => Boolean, { description: 'Whether it can be used.' })
  available!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'Why it cannot be used, for example a missing or damaged file; null where it can.',
  })
  unavailableReason!: string | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Number of weights of all networks together.',
  })
  parameters!: number | null;

  @Field(() => String, {
    nullable: true,
    description: "Number format of the transformer's weights, for example `F16`.",
  })
  precision!: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Number of tokens of a prompt that are read; the rest is ignored.',
  })
  maxPromptTokens!: number | null;

  @Field(() => [GenerationKind], { description: 'Kinds of generations that it can be used for.' })
  kinds!: GenerationKind[];

  @Field(() => [SamplerName], { description: 'Samplers that it can be used with.' })
  samplers!: Sampler[];

  @Field(() => ModelDefaults, {
    nullable: true,
    description: 'Defaults for settings that are left out; null where it cannot be used.',
  })
  defaults!: ModelDefaults | null;

  @Field(() => ModelLimits, {
    nullable: true,
    description: 'Limits of the settings; null where it cannot be used.',
  })
  limits!: ModelLimits | null;

  @Field(() => [Size], { description: 'Sizes that it was trained on, one per aspect ratio.' })
  sizes!: Size[];

  @Field(() => [String], {
    nullable: true,
    description:
      'Words that its training captions consist of; null for a model without such a list.',
  })
  vocabulary!: string[] | null;
}
