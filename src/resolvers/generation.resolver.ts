import 'reflect-metadata';
import {
  Arg,
  Args,
  Ctx,
  FieldResolver,
  Float,
  ID,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import type { Generation as GenerationRow } from '../generated/prisma/client.ts';
import { GenerationStatus } from '../generated/prisma/enums.ts';
import { Asset } from '../schema/asset.ts';
import { PageArgs } from '../schema/connection.ts';
import {
  CancelGenerationInput,
  CancelGenerationPayload,
  GenerateInput,
  GeneratePayload,
} from '../schema/generate.ts';
import {
  Generation,
  GenerationConnection,
  GenerationFilter,
  GenerationStage,
  Priority,
} from '../schema/generation.ts';
import { GenerationSettings } from '../schema/generation-settings.ts';
import { Model } from '../schema/model.ts';
import { GenerationOrder } from '../schema/order.ts';
import { Failure, Provenance, Timing } from '../schema/outcome.ts';
import { Preview, PreviewFormat } from '../schema/preview.ts';
import { Project } from '../schema/project.ts';
import { Cursor, DateTime } from '../schema/scalars.ts';
import { User } from '../schema/user.ts';
import { priorities } from '../services/generations/request.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';
import { filterArg, idArg, inProjectArg, newest, orderArg } from './list-args.ts';

/** A row, and where it came with an event, that event's position: read before the row was. */
type GenerationRead = GenerationRow & { readonly eventCursor?: string };

@Resolver(() => Generation)
export class GenerationResolver {
  @Query(() => Generation, { nullable: true, description: 'A generation by its global id.' })
  generation(@Arg('id', () => ID, idArg) id: string, @Ctx() ctx: Context) {
    return ctx.services.generations.find(ctx.viewer, id);
  }

  @Query(() => GenerationConnection, { description: 'What the viewer asked for.' })
  generations(
    @Arg('projectId', () => ID, inProjectArg) projectId: string | null,
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => GenerationFilter, filterArg) filter: GenerationFilter | null,
    @Arg('orderBy', () => GenerationOrder, orderArg) order: GenerationOrder | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const list = { filter: filter ?? {}, order: order ?? newest, args };
    return services.generations.page(viewer, { projectId: projectId ?? null, ...list });
  }

  @Mutation(() => GeneratePayload, {
    nullable: true,
    description: 'Queues images, and answers at once unless `waitSeconds` says otherwise.',
  })
  generate(
    @Arg('input', () => GenerateInput, { description: 'What is wanted.' }) input: GenerateInput,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.generations.request(ctx.viewer, input, ctx.signal);
  }

  @Mutation(() => CancelGenerationPayload, {
    nullable: true,
    description: 'Stops a generation. A finished one stays as it is: `alreadyFinished` says so.',
  })
  cancelGeneration(
    @Arg('input', () => CancelGenerationInput, { description: 'What is to stop.' })
    input: CancelGenerationInput,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.generations.cancel(ctx.viewer, input.id);
  }

  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() generation: GenerationRead) {
    return toGlobalId('Generation', generation.id);
  }

  @FieldResolver(() => Project, { description: 'Where its pictures go.' })
  project(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.projects.load(ctx.viewer, generation.projectId);
  }

  @FieldResolver(() => User, { description: 'Who asked for it.' })
  createdBy(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.users.load(ctx.viewer, generation.ownerId);
  }

  @FieldResolver(() => GenerationStatus, { description: 'Where it stands.' })
  async status(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).status;
  }

  @FieldResolver(() => DateTime, { nullable: true, description: 'When a runner took it up.' })
  async startedAt(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).startedAt;
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description: 'When it ended, in whichever way.',
  })
  async finishedAt(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).finishedAt;
  }

  @FieldResolver(() => GenerationStage, { nullable: true, description: 'Null unless RUNNING.' })
  stage(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.stage(generation);
  }

  @FieldResolver(() => GenerationSettings, {
    description: 'What was asked, complete: every default filled in.',
  })
  settings(@Root() generation: GenerationRead) {
    return generation;
  }

  @FieldResolver(() => Priority, { description: "Which of the user's own comes first." })
  priority(@Root() generation: GenerationRead) {
    return priorities[generation.priority];
  }

  @FieldResolver(() => Float, {
    description: 'Steps finished over steps to do in all images, 0 to 1.',
  })
  progress(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.progress(generation);
  }

  @FieldResolver(() => Int, { nullable: true, description: '1 is next; null unless QUEUED.' })
  queuePosition(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.queuePosition(generation);
  }

  @FieldResolver(() => DateTime, { nullable: true, description: 'About when it ends.' })
  estimatedFinishAt(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.estimatedFinishAt(generation);
  }

  @FieldResolver(() => Failure, { nullable: true, description: 'Why it could not be finished.' })
  async failure(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.generations.failure(await ctx.services.states.row(generation));
  }

  @FieldResolver(() => [Asset], {
    description:
      'The finished ones so far, by index; they stay when the generation then fails or is cancelled.',
  })
  images(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.assets.ofGeneration(ctx.viewer, generation.id);
  }

  @FieldResolver(() => [Preview], {
    description:
      'The latest frame of every image that is not finished yet: for a viewer that comes late.',
  })
  previews(
    @Root() generation: GenerationRead,
    @Arg('format', () => PreviewFormat, {
      description: 'What they are packed as.',
      defaultValue: 'WEBP',
    })
    format: PreviewFormat,
    @Arg('maxSize', () => Int, {
      nullable: true,
      description: "Longest side in pixels; the latent's own size where left out.",
    })
    maxSize: number | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const options = { format, maxSize: maxSize ?? null };
    return services.subscriptions.latestPreviews(viewer, generation, options);
  }

  @FieldResolver(() => Provenance, {
    nullable: true,
    description: 'What the pixels depended on: enough to make them again.',
  })
  async provenance(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).provenance;
  }

  @FieldResolver(() => [Timing], { description: 'How long each stage took.' })
  async timings(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).timings;
  }

  @FieldResolver(() => Cursor, {
    description:
      'Position of the event log as of this read: hand it to `generationEvents(after:)` and nothing in between is missed.',
  })
  eventCursor(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return generation.eventCursor ?? ctx.viewer.eventCursor;
  }
}

@Resolver(() => GenerationSettings)
export class GenerationSettingsResolver {
  @FieldResolver(() => Model, { description: 'What drew it.' })
  model(@Root() generation: GenerationRow, @Ctx() ctx: Context) {
    return ctx.services.models.named(generation.model);
  }
}
