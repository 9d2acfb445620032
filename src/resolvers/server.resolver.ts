import 'reflect-metadata';
import { Ctx, Query, Resolver } from 'type-graphql';
import { renditionFormats } from '../images/formats.ts';
import { renditionWidths } from '../images/renditions.ts';
import { Model } from '../schema/model.ts';
import { Needs } from '../schema/scope.ts';
import { Queue, Server } from '../schema/server.ts';
import type { Context } from './context.ts';

@Resolver()
export class ServerResolver {
  @Needs('READ')
  @Query(() => Server, {
    description: 'Version, sizes, formats and limits of this installation.',
  })
  server(@Ctx() { services }: Context) {
    return { ...services.installation, renditionWidths, renditionFormats };
  }

  @Needs('READ')
  @Query(() => [Model], {
    description: 'Installed models, also those that cannot be used, with the reason.',
  })
  models(@Ctx() ctx: Context) {
    return ctx.services.models.list();
  }

  @Needs('READ')
  @Query(() => Queue, {
    nullable: true,
    description: 'Number of unfinished generations of all users.',
  })
  async queue(@Ctx() ctx: Context) {
    return { id: 'queue', ...(await ctx.services.queue.count()) };
  }
}
