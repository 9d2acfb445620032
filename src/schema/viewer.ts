import 'reflect-metadata';
import { Field, Int, ObjectType } from 'type-graphql';
import { Bytes, Cursor } from './scalars.ts';
import { Needs } from './scope.ts';

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'Limits of a user, and what it has used of them.',
})
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

  @Field(() => Int, {
    nullable: true,
    description: 'Most images that are requested in a day (UTC); null: no limit.',
  })
  maxImagesPerDay!: number | null;

  @Field(() => Int, { description: 'Generations with the status QUEUED.' })
  queued!: number;

  @Field(() => Bytes, { description: 'Bytes of stored files, without renditions.' })
  storedBytes!: number;

  @Field(() => Int, { description: 'Images that were requested today (UTC).' })
  imagesToday!: number;
}

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'The user that the request is made for.' })
export class Viewer {
  @Field(() => Cursor, {
    description:
      'Position in the event log as of this read. Passed to `viewerEvents` as `after`, no event in between is missed.',
  })
  eventCursor!: string;
}
