import 'reflect-metadata';
import { Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { imageFormats, renditionFormats } from '../images/formats.ts';
import { renditionWidths } from '../images/renditions.ts';
import { Model } from '../schema/model.ts';
import { Needs } from '../schema/scope.ts';
import { PauseQueuePayload, Queue, ResumeQueuePayload, Server } from '../schema/server.ts';
import type { Context } from './context.ts';

@Resolver()
export class ServerResolver {
  @Needs('READ')
  @Query(() => Server, {
    description: 'Version, sizes, formats and limits of this installation.',
  })
  server(@Ctx() { services }: Context) {
    return {
      ...services.installation,
      renditionWidths,
      renditionFormats,
      uploadFormats: imageFormats,
    };
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
  queue(@Ctx() ctx: Context) {
    return queueOf(ctx);
  }

  @Needs('ADMIN')
  @Mutation(() => PauseQueuePayload, {
    nullable: true,
    description: 'Starts nothing more: what runs ends, what waits waits, also over a restart.',
  })
  async pauseQueue(@Ctx() ctx: Context) {
    await ctx.services.queue.setPaused(ctx, true);
    return { queue: await queueOf(ctx) };
  }

  @Needs('ADMIN')
  @Mutation(() => ResumeQueuePayload, { nullable: true, description: 'Ends the pause.' })
  async resumeQueue(@Ctx() ctx: Context) {
    await ctx.services.queue.setPaused(ctx, false);
    return { queue: await queueOf(ctx) };
  }
}

async function queueOf({ services: { queue } }: Context) {
  const [counts, paused] = await Promise.all([queue.count(), queue.isPaused()]);
  return { id: 'queue', ...counts, paused };
}
