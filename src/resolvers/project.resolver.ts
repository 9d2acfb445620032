import 'reflect-metadata';
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Project as ProjectRow } from '../generated/prisma/client.ts';
import { Usage } from '../schema/access.ts';
import { Asset, AssetConnection, AssetFilter } from '../schema/asset.ts';
import { PageArgs, PeriodArgs } from '../schema/connection.ts';
import { GenerationConnection, GenerationFilter } from '../schema/generation.ts';
import { AssetOrder, GenerationOrder, ProjectOrder } from '../schema/order.ts';
import {
  CreateProjectInput,
  CreateProjectPayload,
  Project,
  ProjectConnection,
  ProjectFilter,
} from '../schema/project.ts';
import { Cursor } from '../schema/scalars.ts';
import { Needs } from '../schema/scope.ts';
import { User } from '../schema/user.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';
import { filterArg, idArg, latestChanged, newest, orderArg } from './list-args.ts';

@Resolver(() => Project)
export class ProjectResolver {
  @Needs('READ')
  @Query(() => Project, {
    nullable: true,
    description:
      'A project by its global id; null where it does not exist or belongs to another user.',
  })
  project(@Arg('id', () => ID, idArg) id: string, @Ctx() ctx: Context) {
    return ctx.services.projects.find(ctx.viewer, id);
  }

  @Needs('READ')
  @Query(() => ProjectConnection, { description: 'Projects of the viewer.' })
  projects(
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => ProjectFilter, filterArg) filter: ProjectFilter | null,
    @Arg('orderBy', () => ProjectOrder, orderArg) order: ProjectOrder | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const list = { filter: filter ?? {}, order: order ?? latestChanged, args };
    return services.projects.page(viewer, list);
  }

  @Needs('WRITE')
  @Mutation(() => CreateProjectPayload, { nullable: true, description: 'Creates a project.' })
  createProject(
    @Arg('input', () => CreateProjectInput, { description: 'Name and description.' })
    input: CreateProjectInput,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.projects.create(ctx.viewer, input);
  }

  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() project: ProjectRow) {
    return toGlobalId('Project', project.id);
  }

  @FieldResolver(() => User, { description: 'User whose project it is.' })
  owner(@Root() project: ProjectRow, @Ctx() ctx: Context) {
    return ctx.services.users.load(ctx.viewer, project.ownerId);
  }

  @FieldResolver(() => Boolean, {
    description:
      "Whether it is its owner's default project, which images go to where no project is named.",
  })
  isDefault(@Root() project: ProjectRow) {
    return project.defaultOf !== null;
  }

  @FieldResolver(() => Asset, {
    nullable: true,
    description: 'The asset that stands for it in lists.',
  })
  cover(@Root() { coverId }: ProjectRow, @Ctx() ctx: Context) {
    return coverId && ctx.services.assets.load(ctx.viewer, coverId);
  }

  @FieldResolver(() => GenerationConnection, { description: 'Generations of this project.' })
  generations(
    @Root() project: ProjectRow,
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => GenerationFilter, filterArg) filter: GenerationFilter | null,
    @Arg('orderBy', () => GenerationOrder, orderArg) order: GenerationOrder | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const projectId = toGlobalId('Project', project.id);
    const list = { projectId, filter: filter ?? {}, order: order ?? newest, args };
    return services.generations.page(viewer, list);
  }

  @FieldResolver(() => AssetConnection, { description: 'Assets of this project.' })
  assets(
    @Root() project: ProjectRow,
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => AssetFilter, filterArg) filter: AssetFilter | null,
    @Arg('orderBy', () => AssetOrder, orderArg) order: AssetOrder | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const projectId = toGlobalId('Project', project.id);
    const list = { projectId, filter: filter ?? {}, order: order ?? newest, args };
    return services.assets.page(viewer, list);
  }

  @FieldResolver(() => Usage, { description: 'What was used in this project.' })
  usage(
    @Root() { id, ownerId }: ProjectRow,
    @Args(() => PeriodArgs) period: PeriodArgs,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.usage({ ownerId, projectId: id }, period);
  }

  @FieldResolver(() => Cursor, {
    description:
      'Position in the event log as of this read. Passed to `projectEvents` as `after`, no event in between is missed.',
  })
  eventCursor(@Ctx() ctx: Context) {
    return ctx.viewer.eventCursor;
  }
}
