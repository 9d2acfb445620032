import 'reflect-metadata';
import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Preset as PresetRow } from '../generated/prisma/client.ts';
import { AssetFilter } from '../schema/asset.ts';
import { AssetFacets, TagCount, TimelineBucket, TimelineUnit } from '../schema/asset-counts.ts';
import {
  CreatePresetInput,
  CreatePresetPayload,
  DeletePresetInput,
  DeletePresetPayload,
  Preset,
} from '../schema/preset.ts';
import { Needs } from '../schema/scope.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import { tagCounts } from '../services/relay/limits.ts';
import type { Context } from './context.ts';
import { filterArg, inProjectArg } from './list-args.ts';

@Resolver(() => Preset)
export class LibraryResolver {
  @Needs('READ')
  @Query(() => [TimelineBucket], {
    description:
      'How many assets were stored in each day or month that holds some, newest first: for a scrubber over a long history.',
  })
  assetTimeline(
    @Arg('projectId', () => ID, inProjectArg) projectId: string | null,
    @Arg('filter', () => AssetFilter, filterArg) filter: AssetFilter | null,
    @Arg('by', () => TimelineUnit, { defaultValue: 'MONTH', description: 'Days or months.' })
    by: TimelineUnit,
    @Arg('timeZone', () => String, {
      defaultValue: 'UTC',
      description: 'Name of the time zone that they begin in, for example Europe/Berlin.',
    })
    timeZone: string,
    @Ctx() { services, viewer }: Context,
  ) {
    const list = { projectId: projectId ?? null, filter: filter ?? {}, by, timeZone };
    return services.assets.timeline(viewer, list);
  }

  @Needs('READ')
  @Query(() => [TagCount], { description: 'Tags in use, the most used first.' })
  tags(
    @Arg('projectId', () => ID, inProjectArg) projectId: string | null,
    @Arg('search', () => String, { nullable: true, description: 'What they begin with.' })
    search: string | null,
    @Arg('first', () => Int, {
      defaultValue: 50,
      description: `Number of tags, ${tagCounts.min} to ${tagCounts.max}.`,
    })
    first: number,
    @Ctx() { services, viewer }: Context,
  ) {
    const list = { projectId: projectId ?? null, search: search ?? null, first };
    return services.assets.tags(viewer, list);
  }

  @Needs('READ')
  @Query(() => AssetFacets, {
    description:
      'How many assets of a list have each value: for filters with numbers. Longer counts are refused after half a second.',
  })
  assetFacets(
    @Arg('projectId', () => ID, inProjectArg) projectId: string | null,
    @Arg('filter', () => AssetFilter, filterArg) filter: AssetFilter | null,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.assets.facets(viewer, projectId ?? null, filter ?? {});
  }

  @Needs('READ')
  @Query(() => [Preset], { description: 'Presets of the viewer, by name.' })
  presets(@Ctx() { services, viewer }: Context) {
    return services.presets.list(viewer);
  }

  @Needs('WRITE')
  @Mutation(() => CreatePresetPayload, {
    nullable: true,
    description: 'Stores settings under a name.',
  })
  createPreset(
    @Arg('input', () => CreatePresetInput, { description: 'Name and settings.' })
    input: CreatePresetInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.presets.create(viewer, input);
  }

  @Needs('WRITE')
  @Mutation(() => DeletePresetPayload, { nullable: true, description: 'Deletes a preset.' })
  deletePreset(
    @Arg('input', () => DeletePresetInput, { description: 'The preset.' }) input: DeletePresetInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.presets.remove(viewer, input.id);
  }

  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() preset: PresetRow) {
    return toGlobalId('Preset', preset.id);
  }
}
