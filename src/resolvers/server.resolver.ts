import 'reflect-metadata';
import { Ctx, Query, Resolver } from 'type-graphql';
import { renditionFormats } from '../images/formats.ts';
import { renditionWidths } from '../images/renditions.ts';
import { Model } from '../schema/model.ts';
import { Queue, Server } from '../schema/server.ts';
import type { Context } from './context.ts';

@Resolver()
export class ServerResolver {
  @Query(() => Server, {
    description:
      'What this installation is and allows: sizes, formats and limits that a client needs for its forms.',
  })
  server(@Ctx() { services }: Context) {
    const { version, eventRetentionSeconds } = services.installation;
    return {
      version,
      authenticationRequired: false,
      renditionWidths,
      renditionFormats,
      eventRetentionSeconds,
    };
  }

  @Query(() => [Model], { description: 'What can be drawn with; damaged ones with their reason.' })
  models(@Ctx() ctx: Context) {
    return ctx.services.models.list();
  }

  @Query(() => Queue, { nullable: true, description: 'What waits and what runs.' })
  async queue(@Ctx() ctx: Context) {
    return { id: 'queue', ...(await ctx.services.queue.count()) };
  }
}
