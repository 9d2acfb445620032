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
  @Query(() => Viewer, { description: 'Whoever asks.' })
  viewer(@Ctx() ctx: Context) {
    return ctx.viewer;
  }

  @FieldResolver(() => User, { description: 'The account.' })
  user(@Root() viewer: ViewerRow, @Ctx() ctx: Context) {
    return ctx.services.users.load(ctx.viewer, viewer.id);
  }

  @FieldResolver(() => Project, { description: 'Where pictures go when no project is named.' })
  defaultProject(@Root() viewer: ViewerRow, @Ctx() ctx: Context) {
    return ctx.services.projects.load(ctx.viewer, viewer.defaultProjectId);
  }

  @FieldResolver(() => Limits, { description: 'How much may be had at once.' })
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
