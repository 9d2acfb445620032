import 'reflect-metadata';
import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { generateLimits } from '../services/generations/limits.ts';
import { changeIds } from '../services/relay/limits.ts';
import { Generation, Priority } from './generation.ts';
import { Needs } from './scope.ts';

@InputType({ description: 'Input of `trashGenerations`.' })
export class TrashGenerationsInput {
  @Field(() => [ID], {
    description: `Global ids of the generations, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];
}

@InputType({ description: 'Input of `restoreGenerations`.' })
export class RestoreGenerationsInput {
  @Field(() => [ID], {
    description: `Global ids of the generations, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];
}

@InputType({ description: 'Input of `deleteGenerations`.' })
export class DeleteGenerationsInput {
  @Field(() => [ID], {
    description: `Global ids of the generations, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids!: string[];
}

@InputType({ description: 'Input of `cancelGenerations`: exactly one of the three.' })
export class CancelGenerationsInput {
  @Field(() => [ID], {
    nullable: true,
    description: `Global ids of the generations, ${changeIds.min} to ${changeIds.max.toLocaleString('en')}.`,
  })
  ids?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Global id of a project: all in it.' })
  projectId?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'True: all of the viewer.' })
  all?: boolean | null;
}

@InputType({ description: 'Input of `setGenerationPriority`.' })
export class SetGenerationPriorityInput {
  @Field(() => ID, { description: 'Global id of the generation.' })
  id!: string;

  @Field(() => Priority, { description: "Order among the viewer's own waiting generations." })
  priority!: Priority;
}

@InputType({ description: 'Input of `retryGeneration`.' })
export class RetryGenerationInput {
  @Field(() => ID, { description: 'Global id of the generation.' })
  id!: string;

  @Field(() => String, {
    nullable: true,
    description: `Makes retries of this request safe: a second one with the same key answers with the generation of the first. ${generateLimits.idempotencyKey.min} to ${generateLimits.idempotencyKey.max} characters.`,
  })
  idempotencyKey?: string | null;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `trashGenerations`.' })
export class TrashGenerationsPayload {
  @Field(() => [Generation], { description: 'The generations, in the order of the ids.' })
  generations!: Generation[];
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `restoreGenerations`.' })
export class RestoreGenerationsPayload {
  @Field(() => [Generation], { description: 'The generations, in the order of the ids.' })
  generations!: Generation[];
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `deleteGenerations`.' })
export class DeleteGenerationsPayload {
  @Field(() => [ID], { description: 'Global ids of the generations that were deleted.' })
  deletedGenerationIds!: string[];
}

@Needs('GENERATE')
@ObjectType({ simpleResolvers: true, description: 'Result of `cancelGenerations`.' })
export class CancelGenerationsPayload {
  @Field(() => Int, { description: 'Number of generations that were cancelled; others had ended.' })
  canceledCount!: number;
}

@Needs('GENERATE')
@ObjectType({ simpleResolvers: true, description: 'Result of `setGenerationPriority`.' })
export class SetGenerationPriorityPayload {
  @Field(() => Generation, { description: 'The generation.' })
  generation!: Generation;
}

@Needs('GENERATE')
@ObjectType({ simpleResolvers: true, description: 'Result of `retryGeneration`.' })
export class RetryGenerationPayload {
  @Field(() => Generation, { description: 'The new generation.' })
  generation!: Generation;

  @Field(() => Boolean, {
    description:
      'Whether the idempotency key was used before, and this is the generation of the first request.',
  })
  replayed!: boolean;
}
