import 'reflect-metadata';
import { Field, Int, InterfaceType, ObjectType, registerEnumType } from 'type-graphql';
import type { Stage } from '../inference/request.ts';
import { describe } from './enumeration.ts';
import { GenerationStage } from './generation.ts';
import { Failure } from './outcome.ts';
import { Preview } from './preview.ts';
import { Cursor, DateTime } from './scalars.ts';
import { Needs } from './scope.ts';

const resolveType = (event: { type: string }) => event.type;

@Needs('READ')
@InterfaceType('Event', {
  description:
    'Something that happened. To resume after a lost connection, pass the cursor of the last event as `after`. Clients must ignore types that they do not know.',
  resolveType,
})
export abstract class Event {
  @Field(() => Cursor, { description: 'Position in the event log after this event.' })
  cursor!: string;

  @Field(() => DateTime, { description: 'Time at which it happened.' })
  at!: Date;
}

@Needs('READ')
@InterfaceType('GenerationEvent', {
  implements: Event,
  description:
    'An event of a generation. `generation` is its state at delivery: never older than the event, possibly newer.',
  resolveType,
})
export abstract class GenerationEvent extends Event {}

const ofGeneration = { implements: [GenerationEvent, Event], simpleResolvers: true };

@Needs('READ')
@ObjectType({
  ...ofGeneration,
  description:
    'The generation waits in the queue. Also sent after GenerationStarted, where an engine was lost and the generation waits again.',
})
export class GenerationQueued extends GenerationEvent {
  @Field(() => Int, {
    description: 'Position in the queue: 1 is next, 0 where it no longer waits.',
  })
  position!: number;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Estimated time at which it starts; null where nothing is known of such generations yet.',
  })
  estimatedStartAt!: Date | null;
}

@Needs('READ')
@ObjectType({ ...ofGeneration, description: 'A runner has started the generation.' })
export class GenerationStarted extends GenerationEvent {}

@Needs('READ')
@ObjectType({
  ...ofGeneration,
  description:
    'A stage began or a step ended. Not kept in the event log: where a subscriber is slow, a newer event replaces an older one of the same generation.',
})
export class GenerationProgress extends GenerationEvent {
  @Field(() => GenerationStage, { description: 'Current stage.' })
  stage!: Stage;

  @Field(() => Int, {
    description:
      'Number of finished steps in all images. Falls only where a process was killed, by the steps of its last second.',
  })
  step!: number;

  @Field(() => Int, { description: 'Number of steps in all images.' })
  steps!: number;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Estimated time at which it ends; null where nothing is known of such generations yet.',
  })
  estimatedFinishAt!: Date | null;

  @Field(() => [Preview], {
    description:
      'Preview frames since the last event of this subscription, at most one per image. Computed only where this field is selected.',
  })
  previews!: Preview[];
}

@Needs('READ')
@ObjectType({ ...ofGeneration, description: 'An image of the generation is stored.' })
export class GenerationImageReady extends GenerationEvent {}

@Needs('READ')
@ObjectType({
  ...ofGeneration,
  description: 'All images are stored. The last event of the generation.',
})
export class GenerationSucceeded extends GenerationEvent {}

@Needs('READ')
@ObjectType({ ...ofGeneration, description: 'The generation has failed. Its last event.' })
export class GenerationFailed extends GenerationEvent {
  @Field(() => Failure, { description: 'Why it has failed.' })
  failure!: Failure;
}

@Needs('READ')
@ObjectType({ ...ofGeneration, description: 'The generation was cancelled. Its last event.' })
export class GenerationCanceled extends GenerationEvent {}

@Needs('READ')
@ObjectType({
  implements: Event,
  simpleResolvers: true,
  description:
    'Events between `after` and now are no longer kept (`server.eventRetentionSeconds`). The current state follows as events; refetch lists.',
})
export class EventsReset extends Event {}

@Needs('READ')
@ObjectType({
  implements: Event,
  simpleResolvers: true,
  description: 'Assets were tagged, marked, renamed, moved, trashed or restored.',
})
export class AssetsChanged extends Event {}

@Needs('READ')
@ObjectType({
  implements: Event,
  simpleResolvers: true,
  description: 'Assets were deleted for good.',
})
export class AssetsDeleted extends Event {}

/** What a subscription may be limited to; the state as it stands, and EventsReset, come in any case. */
export const EventType = {
  GENERATION_QUEUED: 'GenerationQueued',
  GENERATION_STARTED: 'GenerationStarted',
  GENERATION_PROGRESS: 'GenerationProgress',
  GENERATION_IMAGE_READY: 'GenerationImageReady',
  GENERATION_SUCCEEDED: 'GenerationSucceeded',
  GENERATION_FAILED: 'GenerationFailed',
  GENERATION_CANCELED: 'GenerationCanceled',
  ASSETS_CHANGED: 'AssetsChanged',
  ASSETS_DELETED: 'AssetsDeleted',
} as const;
export type EventType = (typeof EventType)[keyof typeof EventType];
registerEnumType(EventType, {
  name: 'EventType',
  description: 'Type of an event that a subscription may be limited to.',
  valuesConfig: describe({
    GENERATION_QUEUED: 'GenerationQueued.',
    GENERATION_STARTED: 'GenerationStarted.',
    GENERATION_PROGRESS: 'GenerationProgress.',
    GENERATION_IMAGE_READY: 'GenerationImageReady.',
    GENERATION_SUCCEEDED: 'GenerationSucceeded.',
    GENERATION_FAILED: 'GenerationFailed.',
    GENERATION_CANCELED: 'GenerationCanceled.',
    ASSETS_CHANGED: 'AssetsChanged.',
    ASSETS_DELETED: 'AssetsDeleted.',
  }),
});

/** All types of events. */
export const eventTypes = [
  AssetsChanged,
  AssetsDeleted,
  EventsReset,
  GenerationCanceled,
  GenerationFailed,
  GenerationImageReady,
  GenerationProgress,
  GenerationQueued,
  GenerationStarted,
  GenerationSucceeded,
] as const;
