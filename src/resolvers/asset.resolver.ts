import 'reflect-metadata';
import { Arg, Args, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Asset as AssetRow } from '../generated/prisma/client.ts';
import { Asset, AssetConnection, AssetFilter, LinkArgs } from '../schema/asset.ts';
import { PageArgs } from '../schema/connection.ts';
import { Generation } from '../schema/generation.ts';
import { AssetOrder } from '../schema/order.ts';
import { Project } from '../schema/project.ts';
import { DateTime, Url } from '../schema/scalars.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';
import { filterArg, idArg, inProjectArg, newest, orderArg } from './list-args.ts';

@Resolver(() => Asset)
export class AssetResolver {
  @Query(() => Asset, { nullable: true, description: 'A picture by its global id.' })
  asset(@Arg('id', () => ID, idArg) id: string, @Ctx() ctx: Context) {
    return ctx.services.assets.find(ctx.viewer, id);
  }

  @Query(() => AssetConnection, { description: "The viewer's pictures." })
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

  @FieldResolver(() => Project, { description: 'Where it lies.' })
  project(@Root() asset: AssetRow, @Ctx() ctx: Context) {
    return ctx.services.projects.load(ctx.viewer, asset.projectId);
  }

  @FieldResolver(() => Generation, { nullable: true, description: 'What it came out of.' })
  generation(@Root() asset: AssetRow, @Ctx() ctx: Context) {
    return asset.generationId && ctx.services.generations.load(ctx.viewer, asset.generationId);
  }

  @FieldResolver(() => Url, {
    description:
      "A signed link that works in an <img>. Without arguments the original; with them a rendition, made once and cached. Sizes snap up to `server.renditionWidths`; without `format`, the request's Accept header chooses. The same link comes back, byte for byte, all day long, so that a refetch repaints nothing; it works at least another day.",
  })
  url(@Root() asset: AssetRow, @Args(() => LinkArgs) args: LinkArgs, @Ctx() ctx: Context) {
    return ctx.origin + ctx.services.links.sign(asset.id, args);
  }

  @FieldResolver(() => DateTime, { description: 'Until when links made now work.' })
  urlExpiresAt(@Ctx() ctx: Context) {
    return ctx.services.links.expiry();
  }
}
