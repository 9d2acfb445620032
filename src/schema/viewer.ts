import 'reflect-metadata';
import { Field, Int, ObjectType } from 'type-graphql';
import { Bytes, Cursor } from './scalars.ts';

@ObjectType({ simpleResolvers: true, description: 'Limits of a user.' })
export class Limits {
  @Field(() => Int, { description: 'Most generations with the status QUEUED.' })
  maxQueued!: number;

  @Field(() => Int, { description: 'Most generations with the status RUNNING.' })
  maxRunning!: number;

  @Field(() => Bytes, {
    nullable: true,
    description: 'Most bytes of stored files; null: no limit.',
  })
  maxStoredBytes!: number | null;
}

@ObjectType({ simpleResolvers: true, description: 'The user that the request is made for.' })
export class Viewer {
  @Field(() => Cursor, {
    description:
      'Position in the event log as of this read. Passed to `viewerEvents` as `after`, no event in between is missed.',
  })
  eventCursor!: string;
}
