import 'reflect-metadata';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import { ImageFormat } from '../generated/prisma/enums.ts';
import { Bytes } from './scalars.ts';
import { Needs } from './scope.ts';

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'Version and limits of this installation.',
})
export class Server {
  @Field(() => String, { description: 'Version of Easel.' })
  version!: string;

  @Field(() => Boolean, { description: 'Whether requests need credentials.' })
  authenticationRequired!: boolean;

  @Field(() => [Int], {
    description: 'Widths and heights in pixels that `Asset.url` rounds up to.',
  })
  renditionWidths!: number[];

  @Field(() => [ImageFormat], { description: 'Formats of `Asset.url`.' })
  renditionFormats!: ImageFormat[];

  @Field(() => Bytes, { description: 'Largest size of an uploaded file in bytes.' })
  maxUploadBytes!: number;

  @Field(() => Int, { description: 'Largest number of pixels of an uploaded image.' })
  maxUploadPixels!: number;

  @Field(() => [ImageFormat], { description: 'Formats of uploaded images.' })
  uploadFormats!: ImageFormat[];

  @Field(() => Int, {
    description:
      'Time in seconds for which events are kept. A subscription whose `after` is older begins with an EventsReset.',
  })
  eventRetentionSeconds!: number;
}

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description: 'Number of unfinished generations of all users.',
})
export class Queue {
  @Field(() => ID, { description: 'Constant, so that a cache keeps one queue.' })
  id!: string;

  @Field(() => Int, { description: 'Number of generations with the status QUEUED.' })
  waiting!: number;

  @Field(() => Int, { description: 'Number of generations with the status RUNNING.' })
  running!: number;

  @Field(() => Boolean, {
    description: 'Whether it is paused: what runs ends, what waits waits.',
  })
  paused!: boolean;
}

@Needs('ADMIN')
@ObjectType({ simpleResolvers: true, description: 'Result of `pauseQueue`.' })
export class PauseQueuePayload {
  @Field(() => Queue, { description: 'The queue.' })
  queue!: Queue;
}

@Needs('ADMIN')
@ObjectType({ simpleResolvers: true, description: 'Result of `resumeQueue`.' })
export class ResumeQueuePayload {
  @Field(() => Queue, { description: 'The queue.' })
  queue!: Queue;
}
