import 'reflect-metadata';
import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { AskedSettings } from '../inference/request.ts';
import { generateLimits } from '../services/generations/limits.ts';
import { Generation, Priority } from './generation.ts';
import { Needs } from './scope.ts';
import { SettingsInput } from './settings-input.ts';

@InputType({ description: 'Input of `generate`.' })
export class GenerateInput {
  @Field(() => SettingsInput, { description: 'Settings of the images.' })
  settings!: AskedSettings;

  @Field(() => ID, {
    nullable: true,
    description:
      "Global id of the project that the images go to. Default: the viewer's default project.",
  })
  projectId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: `Makes retries safe: a second request with the same key and the same input answers with the generation of the first one; with another input it is refused (IDEMPOTENCY_CONFLICT). ${generateLimits.idempotencyKey.min} to ${generateLimits.idempotencyKey.max} characters (UTF-16 code units), at least one visible, no control or direction characters.`,
  })
  idempotencyKey?: string | null;

  @Field(() => String, {
    nullable: true,
    description: `Reference of the client's own, returned unchanged and usable in filters. At most ${generateLimits.clientReference.max} characters (UTF-16 code units), no control or direction characters.`,
  })
  clientReference?: string | null;

  @Field(() => Int, {
    description: `Wait this many seconds (${generateLimits.waitSeconds.min} to ${generateLimits.waitSeconds.max}) for the generation to end before answering: for scripts without a subscription. The number of waiting requests is limited.`,
    defaultValue: 0,
  })
  waitSeconds!: number;

  @Field(() => Priority, {
    description: "Order among the viewer's own waiting generations.",
    defaultValue: 'NORMAL',
  })
  priority!: Priority;
}

@Needs('GENERATE')
@ObjectType({ simpleResolvers: true, description: 'Result of `generate`.' })
export class GeneratePayload {
  @Field(() => Generation, { description: 'The generation.' })
  generation!: Generation;

  @Field(() => Boolean, {
    description:
      'Whether the idempotency key was used before, and this is the generation of the first request.',
  })
  replayed!: boolean;
}

@InputType({ description: 'Input of `cancelGeneration`.' })
export class CancelGenerationInput {
  @Field(() => ID, { description: 'Global id of the generation.' })
  id!: string;
}

@Needs('GENERATE')
@ObjectType({ simpleResolvers: true, description: 'Result of `cancelGeneration`.' })
export class CancelGenerationPayload {
  @Field(() => Generation, { description: 'The generation.' })
  generation!: Generation;

  @Field(() => Boolean, { description: 'Whether it had ended before; it is then unchanged.' })
  alreadyFinished!: boolean;
}
