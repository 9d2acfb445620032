import 'reflect-metadata';
import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type { Stage } from '../inference/request.ts';
import { GenerationStage } from './generation.ts';
import { Failure } from './outcome.ts';
import { Preview } from './preview.ts';
import { Cursor, DateTime } from './scalars.ts';

const resolveType = (event: { type: string }) => event.type;

@InterfaceType('Event', {
  description:
    'Every event carries the cursor after it: hand the last one back as `after` to go on where a lost connection stopped. A client must pass over types that it does not know.',
  resolveType,
})
export abstract class Event {
  @Field(() => Cursor, { description: 'Position of the log after this event.' })
  cursor!: string;

  @Field(() => DateTime, { description: 'When it happened.' })
  at!: Date;
}

@InterfaceType('GenerationEvent', {
  implements: Event,
  description: '`generation` is the row at delivery: never older than the event, possibly newer.',
  resolveType,
})
export abstract class GenerationEvent extends Event {}

const ofGeneration = { implements: [GenerationEvent, Event], simpleResolvers: true };

@ObjectType({
  ...ofGeneration,
  description:
    'It waits. Also follows GenerationStarted when an engine was lost and the generation waits again.',
})
export class GenerationQueued extends GenerationEvent {
  @Field(() => Int, { description: '1 is next; 0 where it no longer waits.' })
  position!: number;

  @Field(() => DateTime, { nullable: true, description: 'About when an engine takes it up.' })
  estimatedStartAt!: Date | null;
}

@ObjectType({ ...ofGeneration, description: 'An engine took it up.' })
export class GenerationStarted extends GenerationEvent {}

@ObjectType({
  ...ofGeneration,
  description:
    'A step ended. Not kept in the log: while a viewer is behind, a newer one replaces an older one, per image.',
})
export class GenerationProgress extends GenerationEvent {
  @Field(() => GenerationStage, { description: 'What it is busy with.' })
  stage!: Stage;

  @Field(() => Int, { description: 'Steps finished in all images.' })
  step!: number;

  @Field(() => Int, { description: 'Steps to do in all images.' })
  steps!: number;

  @Field(() => DateTime, { nullable: true, description: 'About when it ends.' })
  estimatedFinishAt!: Date | null;

  @Field(() => [Preview], {
    description: 'Frames that are new for this viewer. Computed only where this field is selected.',
  })
  previews!: Preview[];
}

@ObjectType({ ...ofGeneration, description: 'One of its images is finished.' })
export class GenerationImageReady extends GenerationEvent {}

@ObjectType({ ...ofGeneration, description: 'All its images are finished. The last event.' })
export class GenerationSucceeded extends GenerationEvent {}

@ObjectType({ ...ofGeneration, description: 'It could not be finished. The last event.' })
export class GenerationFailed extends GenerationEvent {
  @Field(() => Failure, { description: 'Why.' })
  failure!: Failure;
}

@ObjectType({ ...ofGeneration, description: 'Somebody cancelled it. The last event.' })
export class GenerationCanceled extends GenerationEvent {}

@ObjectType({
  implements: Event,
  simpleResolvers: true,
  description:
    'What follows `after`, or what was sent last, is not kept any more: a fresh snapshot follows; fetch your lists again.',
})
export class EventsReset extends Event {}
