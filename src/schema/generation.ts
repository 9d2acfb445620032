import 'reflect-metadata';
import { Field, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { GenerationKind, GenerationStatus } from '../generated/prisma/enums.ts';
import { type Stage, stages } from '../inference/request.ts';
import { connectionOf } from './connection.ts';
import { describe, enumOf } from './enumeration.ts';
import { Node } from './node.ts';
import { DateTime, Seed } from './scalars.ts';

registerEnumType(GenerationKind, {
  name: 'GenerationKind',
  description: 'What a generation starts from.',
  valuesConfig: describe<keyof typeof GenerationKind>({
    TEXT_TO_IMAGE: 'Words alone.',
    IMAGE_TO_IMAGE: 'Words and a picture.',
    INPAINT: 'Words, a picture, and a mask of what is repainted.',
  }),
});

registerEnumType(GenerationStatus, {
  name: 'GenerationStatus',
  description: 'Where a generation stands. The last three are final.',
  valuesConfig: describe<keyof typeof GenerationStatus>({
    QUEUED: 'It waits for an engine.',
    RUNNING: 'An engine works on it.',
    SUCCEEDED: 'All its images are there.',
    FAILED: 'It could not be finished: `failure` says why.',
    CANCELED: 'Somebody cancelled it.',
  }),
});

export const GenerationStage = enumOf(stages);
registerEnumType(GenerationStage, {
  name: 'GenerationStage',
  description:
    'What a running generation is busy with; a cold model and a 4K decode take their time.',
  valuesConfig: describe<Stage>({
    LOADING_MODEL: 'The weights are read.',
    ENCODING: 'The prompt is read.',
    DENOISING: 'The picture forms, step by step.',
    DECODING: 'Latents become pixels.',
    SAVING: 'The picture is written down.',
  }),
});

export const Priority = enumOf(['LOW', 'NORMAL', 'HIGH']);
export type Priority = keyof typeof Priority;
registerEnumType(Priority, {
  name: 'Priority',
  description: "Which of a user's own generations comes first; nobody overtakes another user.",
  valuesConfig: describe<Priority>({
    LOW: 'After all others.',
    NORMAL: 'In its turn.',
    HIGH: 'Before all others.',
  }),
});

@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'One order of one or more images with the same settings.',
})
export class Generation extends Node {
  @Field(() => GenerationKind, { description: 'What it starts from.' })
  kind!: GenerationKind;

  @Field(() => String, {
    nullable: true,
    description: "The client's own reference, as it came with `generate`.",
  })
  clientReference!: string | null;

  @Field(() => DateTime, { description: 'When it was asked for.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was put into the trash.' })
  trashedAt!: Date | null;
}

export const GenerationConnection = connectionOf(() => Generation, 'Generation', 'generations');

@InputType({ description: 'Which generations: all that is given must hold.' })
export class GenerationFilter {
  @Field(() => [GenerationStatus], { nullable: true, description: 'In one of these states.' })
  status?: GenerationStatus[] | null;

  @Field(() => [GenerationKind], { nullable: true, description: 'Of one of these kinds.' })
  kind?: GenerationKind[] | null;

  @Field(() => String, { nullable: true, description: 'With the model of this name.' })
  model?: string | null;

  @Field(() => String, { nullable: true, description: 'A part of the prompt.' })
  search?: string | null;

  @Field(() => Seed, { nullable: true, description: 'With this seed.' })
  seed?: number | null;

  @Field(() => String, { nullable: true, description: "With this reference of the client's." })
  clientReference?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Asked for after this moment.' })
  createdAfter?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Asked for before this moment.' })
  createdBefore?: Date | null;

  @Field(() => Boolean, { description: 'Those in the trash instead.', defaultValue: false })
  trashed!: boolean;
}
