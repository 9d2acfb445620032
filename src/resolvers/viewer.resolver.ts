import 'reflect-metadata';
import { Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { User as UserRow } from '../generated/prisma/client.ts';
import { Project } from '../schema/project.ts';
import { User } from '../schema/user.ts';
import { Limits, Viewer } from '../schema/viewer.ts';
import type { Viewer as ViewerRow } from '../services/access/viewer.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';

@Resolver(() => Viewer)
export class ViewerResolver {
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
    return { ...ctx.services.installation, maxStoredBytes: null };
  }
}

@Resolver(() => User)
export class UserResolver {
  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() user: UserRow) {
    return toGlobalId('User', user.id);
  }
}
