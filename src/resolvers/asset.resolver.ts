import 'reflect-metadata';
import { Arg, Args, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Asset as AssetRow } from '../generated/prisma/client.ts';
import { Asset, AssetConnection, AssetFilter, LinkArgs } from '../schema/asset.ts';
import { PageArgs } from '../schema/connection.ts';
import { Generation } from '../schema/generation.ts';
import { AssetOrder } from '../schema/order.ts';
import { Project } from '../schema/project.ts';
import { DateTime, Url } from '../schema/scalars.ts';
import { Needs } from '../schema/scope.ts';
import { keyIdOf } from '../services/access/viewer.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';
import { filterArg, idArg, inProjectArg, newest, orderArg } from './list-args.ts';

@Resolver(() => Asset)
export class AssetResolver {
  @Needs('READ')
  @Query(() => Asset, {
    nullable: true,
    description:
      'An asset by its global id; null where it does not exist or belongs to another user.',
  })
  asset(@Arg('id', () => ID, idArg) id: string, @Ctx() ctx: Context) {
    return ctx.services.assets.find(ctx.viewer, id);
  }

  @Needs('READ')
  @Query(() => AssetConnection, { description: 'Assets of the viewer.' })
  assets(
    @Arg('projectId', () => ID, inProjectArg) projectId: string | null,
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => AssetFilter, filterArg) filter: AssetFilter | null,
    @Arg('orderBy', () => AssetOrder, orderArg) order: AssetOrder | null,
    @Ctx() { services, viewer }: Context,
  ) {
    const list = { filter: filter ?? {}, order: order ?? newest, args };
    return services.assets.page(viewer, { projectId: projectId ?? null, ...list });
  }

  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() asset: AssetRow) {
    return toGlobalId('Asset', asset.id);
  }

  @FieldResolver(() => Project, { description: 'Project that it belongs to.' })
  project(@Root() asset: AssetRow, @Ctx() ctx: Context) {
    return ctx.services.projects.load(ctx.viewer, asset.projectId);
  }

  @FieldResolver(() => Generation, {
    nullable: true,
    description: 'Generation that made it; null for uploads.',
  })
  generation(@Root() asset: AssetRow, @Ctx() ctx: Context) {
    return asset.generationId && ctx.services.generations.load(ctx.viewer, asset.generationId);
  }

  @FieldResolver(() => Url, {
    description:
      'Signed URL of the file, which works in an <img> without credentials. Without arguments it gives the original, else a rendition that is made at the first request and stored. The URL is the same for the whole day (UTC), so that browser caches work, and valid for at least one more day.',
  })
  url(@Root() asset: AssetRow, @Args(() => LinkArgs) args: LinkArgs, @Ctx() ctx: Context) {
    return ctx.origin + ctx.services.links.sign(asset.id, args, keyIdOf(ctx.viewer));
  }

  @FieldResolver(() => DateTime, {
    description: 'Time until which URLs that are made now are valid.',
  })
  urlExpiresAt(@Ctx() ctx: Context) {
    return ctx.services.links.expiry();
  }
}
