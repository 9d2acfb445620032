import 'reflect-metadata';
import { Field, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { GenerationKind, GenerationStatus } from '../generated/prisma/enums.ts';
import { type Stage, stages } from '../inference/request.ts';
import { filterLength } from '../services/relay/limits.ts';
import { connectionOf } from './connection.ts';
import { describe, enumOf } from './enumeration.ts';
import { Node } from './node.ts';
import { DateTime, Seed } from './scalars.ts';
import { Needs } from './scope.ts';

registerEnumType(GenerationKind, {
  name: 'GenerationKind',
  description: 'What a generation starts from.',
  valuesConfig: describe<keyof typeof GenerationKind>({
    TEXT_TO_IMAGE: 'A prompt.',
    IMAGE_TO_IMAGE: 'A prompt and an image.',
    INPAINT: 'A prompt, an image, and a mask of the area that is repainted.',
  }),
});

registerEnumType(GenerationStatus, {
  name: 'GenerationStatus',
  description: 'Status of a generation. The last three are final.',
  valuesConfig: describe<keyof typeof GenerationStatus>({
    QUEUED: 'It waits in the queue.',
    RUNNING: 'Its images are being generated.',
    SUCCEEDED: 'All its images are stored.',
    FAILED: 'It could not be finished; see `failure`.',
    CANCELED: 'It was cancelled.',
  }),
});

export const GenerationStage = enumOf(stages);
registerEnumType(GenerationStage, {
  name: 'GenerationStage',
  description: 'What a runner is doing for a running generation.',
  valuesConfig: describe<Stage>({
    LOADING_MODEL: 'Loads the weights of the model.',
    ENCODING: 'Encodes the prompt.',
    DENOISING: 'Runs the denoising steps.',
    DECODING: 'Decodes the latents to pixels.',
    SAVING: 'Encodes and stores the image.',
  }),
});

export const Priority = enumOf(['LOW', 'NORMAL', 'HIGH']);
export type Priority = keyof typeof Priority;
registerEnumType(Priority, {
  name: 'Priority',
  description:
    'Order among the waiting generations of one user. Has no effect on the turns between users.',
  valuesConfig: describe<Priority>({
    LOW: 'After all with a higher priority.',
    NORMAL: 'In the order of creation.',
    HIGH: 'Before all with a lower priority.',
  }),
});

@Needs('READ')
@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'A request for one or more images with the same settings, and its result.',
})
export class Generation extends Node {
  @Field(() => GenerationKind, { description: 'What it starts from.' })
  kind!: GenerationKind;

  @Field(() => String, {
    nullable: true,
    description: "The client's own reference, as given to `generate`.",
  })
  clientReference!: string | null;

  @Field(() => DateTime, { description: 'Time at which it was requested.' })
  createdAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Time at which it was moved to the trash; null where it is not there.',
  })
  trashedAt!: Date | null;
}

export const GenerationConnection = connectionOf(() => Generation, 'Generation', 'generations');

@InputType({ description: 'Conditions on generations; a generation must meet all that are given.' })
export class GenerationFilter {
  @Field(() => [GenerationStatus], { nullable: true, description: 'Has one of these statuses.' })
  status?: GenerationStatus[] | null;

  @Field(() => [GenerationKind], { nullable: true, description: 'Is of one of these kinds.' })
  kind?: GenerationKind[] | null;

  @Field(() => String, { nullable: true, description: 'Uses the model of this name.' })
  model?: string | null;

  @Field(() => String, {
    nullable: true,
    description: `Words of the prompt: all of them, in any order; "words in quotation marks" as a phrase; the last one may be the beginning of a word. At most ${filterLength} characters.`,
  })
  search?: string | null;

  @Field(() => Seed, { nullable: true, description: 'Generated with this seed.' })
  seed?: number | null;

  @Field(() => String, { nullable: true, description: 'Has this client reference.' })
  clientReference?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Requested after this time.' })
  createdAfter?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Requested before this time.' })
  createdBefore?: Date | null;

  @Field(() => Boolean, {
    description: 'Whether to list what is in the trash, instead of what is not.',
    defaultValue: false,
  })
  trashed!: boolean;
}
