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
import type { GenerationSettings as Settings } from '../inference/request.ts';
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
import { GenerationSettings, ImageSettings } from '../schema/generation-settings.ts';
import { Model } from '../schema/model.ts';
import { GenerationOrder } from '../schema/order.ts';
import { Failure, Provenance, Timing } from '../schema/outcome.ts';
import { Preview, PreviewFormat } from '../schema/preview.ts';
import { Project } from '../schema/project.ts';
import { Cursor, DateTime } from '../schema/scalars.ts';
import { Needs } from '../schema/scope.ts';
import { User } from '../schema/user.ts';
import { priorities } from '../services/generations/request.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import { previewLimits } from '../services/subscriptions/limits.ts';
import type { Context } from './context.ts';
import { filterArg, idArg, inProjectArg, newest, orderArg } from './list-args.ts';

/** The record, and what of the row belongs to it. */
type SettingsRead = Settings & Pick<GenerationRow, 'sourceId' | 'maskId' | 'strength'>;

/** A row, and in an event the position of that event, which was read before the row. */
type GenerationRead = GenerationRow & { readonly eventCursor?: string };

@Resolver(() => Generation)
export class GenerationResolver {
  @Needs('READ')
  @Query(() => Generation, {
    nullable: true,
    description:
      'A generation by its global id; null where it does not exist or belongs to another user.',
  })
  generation(@Arg('id', () => ID, idArg) id: string, @Ctx() ctx: Context) {
    return ctx.services.generations.find(ctx.viewer, id);
  }

  @Needs('READ')
  @Query(() => GenerationConnection, { description: 'Generations of the viewer.' })
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

  @Needs('GENERATE')
  @Mutation(() => GeneratePayload, {
    nullable: true,
    description: 'Adds a generation to the queue. Answers at once, unless `waitSeconds` is given.',
  })
  generate(
    @Arg('input', () => GenerateInput, { description: 'Settings and options.' })
    input: GenerateInput,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.generations.request(ctx.viewer, input, ctx.signal, () =>
      ctx.atRest.begin(),
    );
  }

  @Needs('GENERATE')
  @Mutation(() => CancelGenerationPayload, {
    nullable: true,
    description: 'Cancels a generation. One that has ended is not changed, see `alreadyFinished`.',
  })
  cancelGeneration(
    @Arg('input', () => CancelGenerationInput, { description: 'The generation to cancel.' })
    input: CancelGenerationInput,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.generations.cancel(ctx.viewer, input.id);
  }

  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() generation: GenerationRead) {
    return toGlobalId('Generation', generation.id);
  }

  @FieldResolver(() => Project, { description: 'Project that its images belong to.' })
  project(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.projects.load(ctx.viewer, generation.projectId);
  }

  @FieldResolver(() => User, { description: 'User who requested it.' })
  createdBy(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.users.load(ctx.viewer, generation.ownerId);
  }

  @FieldResolver(() => GenerationStatus, {
    description: 'Status. Agrees with the other fields of the same answer.',
  })
  async status(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).status;
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description: 'Time at which the current run started; null where it waits.',
  })
  async startedAt(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).startedAt;
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description: 'Time at which it succeeded, failed or was cancelled.',
  })
  async finishedAt(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).finishedAt;
  }

  @FieldResolver(() => GenerationStage, {
    nullable: true,
    description: 'Current stage; null unless RUNNING.',
  })
  stage(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.stage(generation);
  }

  @FieldResolver(() => GenerationSettings, {
    description: 'Settings, complete: every default is filled in.',
  })
  async settings(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    const { sourceId, maskId, strength } = generation;
    const settings = await ctx.services.generations.settings(generation);
    return { ...settings, sourceId, maskId, strength };
  }

  @FieldResolver(() => Generation, {
    nullable: true,
    description:
      'The generation that it repeats; null where it repeats none, or that one is deleted.',
  })
  retryOf(@Root() { retryOfId }: GenerationRead, @Ctx() ctx: Context) {
    return retryOfId && ctx.services.generations.load(ctx.viewer, retryOfId);
  }

  @FieldResolver(() => Priority, { description: "Order among the user's own waiting generations." })
  priority(@Root() generation: GenerationRead) {
    return priorities[generation.priority];
  }

  @FieldResolver(() => Float, {
    description:
      'Finished steps divided by all steps of all images, 0 to 1. Falls only where a process was killed, by the steps of its last second.',
  })
  progress(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.progress(generation);
  }

  @FieldResolver(() => Int, {
    nullable: true,
    description: 'Position in the queue: 1 is next; null unless QUEUED.',
  })
  queuePosition(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.queuePosition(generation);
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description:
      'Estimated time at which it ends; null where nothing is known of such generations yet.',
  })
  estimatedFinishAt(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.states.estimatedFinishAt(generation);
  }

  @FieldResolver(() => Failure, {
    nullable: true,
    description: 'Why it has failed; null unless FAILED.',
  })
  async failure(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.generations.failure(await ctx.services.states.row(generation));
  }

  @FieldResolver(() => [Asset], {
    description:
      'Stored images in the order of their index. They are kept where the generation then fails or is cancelled.',
  })
  images(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return ctx.services.assets.ofGeneration(ctx.viewer, generation.id);
  }

  @FieldResolver(() => [Preview], {
    description:
      'Latest preview frame of every image that is not stored yet. Reading it counts as watching for 30 seconds: frames are computed for the next read, so that clients without a subscription can poll.',
  })
  previews(
    @Root() generation: GenerationRead,
    @Arg('format', () => PreviewFormat, {
      description: 'File format.',
      defaultValue: 'WEBP',
    })
    format: PreviewFormat,
    @Arg('maxSize', () => Int, {
      nullable: true,
      description: `Longest side in pixels, ${previewLimits.maxSize.min} to ${previewLimits.maxSize.max}, and not larger than the image. Default: the size of the latents.`,
    })
    maxSize: number | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const options = { format, maxSize: maxSize ?? null };
    return services.subscriptions.latestPreviews(viewer, generation, options);
  }

  @FieldResolver(() => Provenance, {
    nullable: true,
    description: 'What the pixels depended on beside the settings; null unless SUCCEEDED.',
  })
  async provenance(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).provenance;
  }

  @FieldResolver(() => [Timing], { description: 'Time that each stage took.' })
  async timings(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return (await ctx.services.states.row(generation)).timings;
  }

  @FieldResolver(() => Cursor, {
    description:
      'Position in the event log as of this read. Passed to `generationEvents` as `after`, no event in between is missed.',
  })
  eventCursor(@Root() generation: GenerationRead, @Ctx() ctx: Context) {
    return generation.eventCursor ?? ctx.viewer.eventCursor;
  }
}

@Resolver(() => GenerationSettings)
export class GenerationSettingsResolver {
  @FieldResolver(() => Model, { description: 'Model that the images are generated with.' })
  model(@Root() settings: Settings, @Ctx() ctx: Context) {
    return ctx.services.models.named(settings.model);
  }

  @FieldResolver(() => ImageSettings, {
    nullable: true,
    description: 'Image that it starts from; null where it is made from text alone.',
  })
  async image(@Root() { sourceId, maskId, strength }: SettingsRead, @Ctx() ctx: Context) {
    if (strength === null) return null;
    const load = (id: string | null) => id && ctx.services.assets.load(ctx.viewer, id);
    const [asset, mask] = await Promise.all([load(sourceId), load(maskId)]);
    return { asset, mask, strength };
  }
}
