import 'reflect-metadata';
import { Field, Int, ObjectType } from 'type-graphql';
import { Bytes, Cursor } from './scalars.ts';

@ObjectType({ simpleResolvers: true, description: 'How much a user may have at once.' })
export class Limits {
  @Field(() => Int, { description: 'Generations that may wait.' })
  maxQueued!: number;

  @Field(() => Int, { description: 'Generations that may run.' })
  maxRunning!: number;

  @Field(() => Bytes, { nullable: true, description: 'Bytes of stored pictures; null: no limit.' })
  maxStoredBytes!: number | null;
}

@ObjectType({ simpleResolvers: true, description: 'Whoever asks.' })
export class Viewer {
  @Field(() => Cursor, {
    description:
      'Position of the event log as of this read: hand it to `viewerEvents(after:)` and nothing in between is missed.',
  })
  eventCursor!: string;
}
