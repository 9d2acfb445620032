import 'reflect-metadata';
import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { Generation, Priority } from './generation.ts';
import { SettingsInput } from './settings-input.ts';

@InputType({ description: 'An order.' })
export class GenerateInput {
  @Field(() => SettingsInput, { description: 'What the picture depends on.' })
  settings!: SettingsInput;

  @Field(() => ID, {
    nullable: true,
    description: "Where it goes; the viewer's default project where left out.",
  })
  projectId?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'One intent, one key: the same key with the same input answers with the first generation, with another input it is refused.',
  })
  idempotencyKey?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Yours, returned as it is here and in filters; at most 200 characters.',
  })
  clientReference?: string | null;

  @Field(() => Int, {
    description:
      'Answer only when it has ended, or after this many seconds (0 to 60): for scripts without a subscription. Open waits are limited.',
    defaultValue: 0,
  })
  waitSeconds!: number;

  @Field(() => Priority, { description: 'Which of your own comes first.', defaultValue: 'NORMAL' })
  priority!: Priority;
}

@ObjectType({ simpleResolvers: true, description: 'What `generate` answers.' })
export class GeneratePayload {
  @Field(() => Generation, { description: 'As it stands now.' })
  generation!: Generation;

  @Field(() => Boolean, {
    description: 'The idempotency key had been used, this is the first answer again.',
  })
  replayed!: boolean;
}

@InputType({ description: 'What is to stop.' })
export class CancelGenerationInput {
  @Field(() => ID, { description: "The generation's." })
  id!: string;
}

@ObjectType({ simpleResolvers: true, description: 'What `cancelGeneration` answers.' })
export class CancelGenerationPayload {
  @Field(() => Generation, { description: 'As it stands now.' })
  generation!: Generation;

  @Field(() => Boolean, { description: 'It had ended before, and stays as it was.' })
  alreadyFinished!: boolean;
}
