import 'reflect-metadata';
import { Args, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { User as UserRow } from '../generated/prisma/client.ts';
import { ApiKey, Usage } from '../schema/access.ts';
import { PeriodArgs } from '../schema/connection.ts';
import { Project } from '../schema/project.ts';
import { Needs } from '../schema/scope.ts';
import { User } from '../schema/user.ts';
import { Limits, Viewer } from '../schema/viewer.ts';
import type { Viewer as ViewerRow } from '../services/access/viewer.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';

@Resolver(() => Viewer)
export class ViewerResolver {
  @Needs('READ')
  @Query(() => Viewer, { description: 'The user that the request is made for.' })
  viewer(@Ctx() ctx: Context) {
    return ctx.viewer;
  }

  @FieldResolver(() => User, { description: 'Account of the viewer.' })
  user(@Root() viewer: ViewerRow, @Ctx() ctx: Context) {
    return ctx.services.users.load(ctx.viewer, viewer.id);
  }

  @FieldResolver(() => Project, {
    description: 'Project that images go to where no project is named.',
  })
  defaultProject(@Root() viewer: ViewerRow, @Ctx() ctx: Context) {
    return ctx.services.projects.load(ctx.viewer, viewer.defaultProjectId);
  }

  @FieldResolver(() => Limits, { description: 'Limits of the viewer.' })
  limits(@Ctx() ctx: Context) {
    return ctx.services.limits(ctx.viewer);
  }

  @FieldResolver(() => Usage, { description: 'What the viewer has used.' })
  usage(
    @Root() { id }: ViewerRow,
    @Args(() => PeriodArgs) period: PeriodArgs,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.usage({ ownerId: id }, period);
  }

  @FieldResolver(() => [ApiKey], { description: 'API keys of the viewer that work, newest first.' })
  apiKeys(@Ctx() ctx: Context) {
    return ctx.services.keys.list(ctx.viewer);
  }
}

@Resolver(() => User)
export class UserResolver {
  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() user: UserRow) {
    return toGlobalId('User', user.id);
  }
}
