import 'reflect-metadata';
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Project as ProjectRow } from '../generated/prisma/client.ts';
import { AssetConnection, AssetFilter } from '../schema/asset.ts';
import { PageArgs } from '../schema/connection.ts';
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
import { User } from '../schema/user.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';
import { filterArg, idArg, latestChanged, newest, orderArg } from './list-args.ts';

@Resolver(() => Project)
export class ProjectResolver {
  @Query(() => Project, { nullable: true, description: 'A project by its global id.' })
  project(@Arg('id', () => ID, idArg) id: string, @Ctx() ctx: Context) {
    return ctx.services.projects.find(ctx.viewer, id);
  }

  @Query(() => ProjectConnection, { description: "The viewer's projects." })
  projects(
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => ProjectFilter, filterArg) filter: ProjectFilter | null,
    @Arg('orderBy', () => ProjectOrder, orderArg) order: ProjectOrder | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const list = { filter: filter ?? {}, order: order ?? latestChanged, args };
    return services.projects.page(viewer, list);
  }

  @Mutation(() => CreateProjectPayload, { nullable: true, description: 'A new project.' })
  createProject(
    @Arg('input', () => CreateProjectInput, { description: 'What it is to be.' })
    input: CreateProjectInput,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.projects.create(ctx.viewer, input);
  }

  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() project: ProjectRow) {
    return toGlobalId('Project', project.id);
  }

  @FieldResolver(() => User, { description: 'Whose it is.' })
  owner(@Root() project: ProjectRow, @Ctx() ctx: Context) {
    return ctx.services.users.load(ctx.viewer, project.ownerId);
  }

  @FieldResolver(() => Boolean, { description: 'Pictures go here when no project is named.' })
  isDefault(@Root() project: ProjectRow) {
    return project.defaultOf !== null;
  }

  @FieldResolver(() => GenerationConnection, { description: 'What was asked for in it.' })
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

  @FieldResolver(() => AssetConnection, { description: 'The pictures in it.' })
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

  @FieldResolver(() => Cursor, {
    description:
      'Position of the event log as of this read: hand it to `projectEvents(after:)` and nothing in between is missed.',
  })
  eventCursor(@Ctx() ctx: Context) {
    return ctx.viewer.eventCursor;
  }
}
