import 'reflect-metadata';
import { Field, Float, Int, ObjectType } from 'type-graphql';
import { GenerationKind } from '../generated/prisma/enums.ts';
import { limits, type Sampler } from '../inference/request.ts';
import { Node } from './node.ts';
import { SamplerName } from './sampler.ts';

@ObjectType({ simpleResolvers: true, description: 'What is taken for settings that are left out.' })
export class ModelDefaults {
  @Field(() => Int, { description: 'Pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Pixels.' })
  height!: number;

  @Field(() => Int, { description: 'Denoising steps.' })
  steps!: number;

  @Field(() => Float, { description: 'How closely the prompt is followed.' })
  guidanceScale!: number;

  @Field(() => SamplerName, { description: 'How the noise is taken away.' })
  sampler!: Sampler;
}

@ObjectType({ simpleResolvers: true, description: 'What may be asked of a model.' })
export class ModelLimits {
  @Field(() => Int, { description: 'Images in one generation.' })
  maxCount!: number;

  @Field(() => Int, { description: 'Fewest denoising steps.' })
  minSteps!: number;

  @Field(() => Int, { description: 'Most denoising steps.' })
  maxSteps!: number;

  @Field(() => Int, { description: 'Shortest side in pixels.' })
  minSize!: number;

  @Field(() => Int, {
    description: `Longest side in pixels; an exact size has at most ${limits.exactSizeFactor} times the pixels of the largest one in \`sizes\`.`,
  })
  maxSize!: number;

  @Field(() => Int, { description: 'With `exactSize`, sides are multiples of this.' })
  sizeMultiple!: number;

  @Field(() => Float, { description: 'Strongest guidance.' })
  maxGuidanceScale!: number;
}

@ObjectType({ simpleResolvers: true, description: 'Of an image, in pixels.' })
export class Size {
  @Field(() => Int, { description: 'Pixels.' })
  width!: number;

  @Field(() => Int, { description: 'Pixels.' })
  height!: number;
}

@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'A folder of weights that the engine can draw with.',
})
export class Model extends Node {
  @Field(() => String, { description: "The folder's name: what `settings.model` takes." })
  name!: string;

  @Field(() => String, { description: 'As people call it.' })
  title!: string;

  @Field(() => String, { description: 'What it is good for; empty where the folder says nothing.' })
  description!: string;

  @Field(() => String, { nullable: true, description: 'Of the weights, where the folder says so.' })
  license!: string | null;

  @Field(() => Boolean, { description: 'Taken when no model is named.' })
  isDefault!: boolean;

  @Field(() => Boolean, { description: 'It can be used.' })
  available!: boolean;

  @Field(() => String, {
    nullable: true,
    description:
      'Why it cannot be used: missing, cut off, not the shapes its config says. Such a model stays listed.',
  })
  unavailableReason!: string | null;

  @Field(() => Float, { nullable: true, description: 'Weights of all networks together.' })
  parameters!: number | null;

  @Field(() => String, { nullable: true, description: "Of the transformer's weights." })
  precision!: string | null;

  @Field(() => Int, { nullable: true, description: 'What is beyond this in a prompt is not read.' })
  maxPromptTokens!: number | null;

  @Field(() => [GenerationKind], { description: 'What it can start from.' })
  kinds!: GenerationKind[];

  @Field(() => [SamplerName], { description: 'The samplers that it can be used with.' })
  samplers!: Sampler[];

  @Field(() => ModelDefaults, {
    nullable: true,
    description: 'What is taken for settings that are left out.',
  })
  defaults!: ModelDefaults | null;

  @Field(() => ModelLimits, { nullable: true, description: 'What may be asked of it.' })
  limits!: ModelLimits | null;

  @Field(() => [Size], { description: 'The aspect-ratio bins.' })
  sizes!: Size[];

  @Field(() => [String], {
    nullable: true,
    description: 'The words that it knows, where it knows so few that they can be listed.',
  })
  vocabulary!: string[] | null;
}
