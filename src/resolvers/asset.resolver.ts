import 'reflect-metadata';
import { Arg, Args, Ctx, FieldResolver, ID, Int, Query, Resolver, Root } from 'type-graphql';
import { BadInput } from '../errors.ts';
import type { Asset as AssetRow } from '../generated/prisma/client.ts';
import { ImageFormat } from '../generated/prisma/enums.ts';
import { placeholderDataUrl } from '../images/placeholder.ts';
import { widthsOf } from '../images/renditions.ts';
import {
  Asset,
  AssetConnection,
  AssetFilter,
  EmbeddedSettings,
  LinkArgs,
  Rendition,
} from '../schema/asset.ts';
import { PageArgs } from '../schema/connection.ts';
import { Generation } from '../schema/generation.ts';
import { AssetOrder } from '../schema/order.ts';
import { Project } from '../schema/project.ts';
import { Cursor, DateTime, Url } from '../schema/scalars.ts';
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

  @FieldResolver(() => [Rendition], {
    description:
      'Smaller images of it for `srcset`: what these widths really give, without duplicates and sizes beyond the original.',
  })
  renditions(
    @Root() asset: AssetRow,
    @Arg('widths', () => [Int], { description: 'Widths in pixels, at most 20.' }) widths: number[],
    @Arg('format', () => ImageFormat, {
      nullable: true,
      description:
        'Format of the files. Default: the best one that each request for a file accepts.',
    })
    format: ImageFormat | null,
    @Ctx() ctx: Context,
  ) {
    if (widths.length > mostWidths) throw tooManyWidths(widths.length);
    return widthsOf(asset, widths).map((size) => {
      const args = { ...plainLink, width: size.width, format: format ?? null };
      return {
        ...size,
        url: ctx.origin + ctx.services.links.sign(asset.id, args, keyIdOf(ctx.viewer)),
      };
    });
  }

  @FieldResolver(() => Cursor, {
    description:
      'Its position in a list of this order: `after` and `before` of `assets` take it, so that a page of one image can step to its neighbours.',
  })
  cursor(
    @Root() asset: AssetRow,
    @Arg('orderBy', () => AssetOrder, orderArg) order: AssetOrder | null,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.assets.cursor(asset, order ?? newest);
  }

  @FieldResolver(() => String, {
    description: 'The placeholder as a data: URL of a PNG, for pages without a script.',
  })
  placeholderDataUrl(@Root() { placeholder }: AssetRow) {
    return placeholderDataUrl(placeholder);
  }

  @FieldResolver(() => EmbeddedSettings, {
    nullable: true,
    description: 'Settings that an uploaded PNG carried; null where there were none.',
  })
  embedded(@Root() asset: AssetRow, @Ctx() ctx: Context) {
    return ctx.services.assets.embedded(asset);
  }

  @FieldResolver(() => [Asset], {
    description: 'What it was made from, as far as that was not deleted for good.',
  })
  parents(@Root() asset: AssetRow, @Ctx() { services, viewer }: Context) {
    return services.assets.parents(viewer, asset);
  }

  @FieldResolver(() => AssetConnection, {
    description: 'What was made from it, newest first, without what is in the trash.',
  })
  children(
    @Root() asset: AssetRow,
    @Args(() => PageArgs) args: PageArgs,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.assets.children(viewer, asset, args);
  }
}

/** Widths of one `srcset`. */
const mostWidths = 20;

function tooManyWidths(got: number): BadInput {
  const expected = `at most ${mostWidths} widths`;
  return new BadInput({ path: ['widths'], expected, got, max: mostWidths });
}

const plainLink = { fit: 'CONTAIN', download: false, stripMetadata: false } as const;
