import 'reflect-metadata';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import { ImageFormat } from '../generated/prisma/enums.ts';

@ObjectType({
  simpleResolvers: true,
  description: 'What this installation is and allows.',
})
export class Server {
  @Field(() => String, { description: "The program's version." })
  version!: string;

  @Field(() => Boolean, { description: 'Requests must say who they come from.' })
  authenticationRequired!: boolean;

  @Field(() => [Int], { description: 'The sizes, in pixels, that `Asset.url` snaps up to.' })
  renditionWidths!: number[];

  @Field(() => [ImageFormat], { description: 'What `Asset.url` can be asked for as.' })
  renditionFormats!: ImageFormat[];

  @Field(() => Int, {
    description:
      'How long the event log is kept: a subscription whose `after` is older gets an `EventsReset`.',
  })
  eventRetentionSeconds!: number;
}

@ObjectType({ simpleResolvers: true, description: 'What waits and what runs, of all users.' })
export class Queue {
  @Field(() => ID, { description: 'There is one.' })
  id!: string;

  @Field(() => Int, { description: 'Generations that wait.' })
  waiting!: number;

  @Field(() => Int, { description: 'Generations that run.' })
  running!: number;
}
