import 'reflect-metadata';
import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Ctx, FieldResolver, ID, Resolver, Root, Subscription } from 'type-graphql';
import { Asset } from '../schema/asset.ts';
import {
  AssetsChanged,
  AssetsDeleted,
  Event,
  EventType,
  GenerationEvent,
  GenerationImageReady,
} from '../schema/event.ts';
import { Generation } from '../schema/generation.ts';
import { PreviewOptions } from '../schema/preview.ts';
import { Cursor } from '../schema/scalars.ts';
import { Needs } from '../schema/scope.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import { previewLimits } from '../services/subscriptions/limits.ts';
import type { AssetsView, EventView, ImageReadyView } from '../services/subscriptions/views.ts';
import type { Context } from './context.ts';
import { inTurn } from './in-turn.ts';
import { selects } from './selection.ts';

type EventArgs = {
  id: string;
  projectId: string;
  after?: string | null;
  preview?: PreviewOptions;
  only?: EventType[] | null;
};
type Subscribing = { args: EventArgs; context: Context; info: GraphQLResolveInfo };

const onlyArg = {
  nullable: true,
  description:
    'Only events of these types. Default: all. Cursors go on over what is left out; EventsReset comes in any case.',
};
const afterArg = {
  nullable: true,
  description:
    'Cursor of the last event that was received, or an `eventCursor`. Events since then are sent first.',
};
const previewArg = {
  nullable: true,
  description: 'Options of preview frames, where `previews` is selected.',
};

@Resolver(() => GenerationEvent)
export class EventResolver {
  @Needs('READ')
  @Subscription(() => Event, {
    description:
      'Events of one generation. Without `after`, the first event gives the current state: GenerationQueued, GenerationProgress with the latest previews, or the final event. With `after`, the events since then come first. The subscription ends after the final event.',
    subscribe: async ({ args, context: { services, viewer, signal }, info }: Subscribing) =>
      inTurn(
        only(
          args,
          await services.subscriptions.watchGeneration(
            viewer,
            args.id,
            watching(args, info),
            signal,
          ),
        ),
      ),
  })
  generationEvents(
    @Root() event: EventView,
    @Arg('id', () => ID, { description: 'Global id of the generation.' }) _id: string,
    @Arg('after', () => Cursor, afterArg) _after: string,
    @Arg('preview', () => PreviewOptions, previewArg) _preview: PreviewOptions,
    @Arg('only', () => [EventType], onlyArg) _only: EventType[],
  ) {
    return event;
  }

  @Needs('READ')
  @Subscription(() => Event, {
    description:
      'Events of everything in a project. Without `after`, begins with one event for each generation that has not ended. Does not end.',
    subscribe: async ({ args, context: { services, viewer, signal }, info }: Subscribing) =>
      inTurn(
        only(
          args,
          await services.subscriptions.watchProject(
            viewer,
            args.projectId,
            watching(args, info),
            signal,
          ),
        ),
      ),
  })
  projectEvents(
    @Root() event: EventView,
    @Arg('projectId', () => ID, { description: 'Global id of the project.' }) _projectId: string,
    @Arg('after', () => Cursor, afterArg) _after: string,
    @Arg('preview', () => PreviewOptions, previewArg) _preview: PreviewOptions,
    @Arg('only', () => [EventType], onlyArg) _only: EventType[],
  ) {
    return event;
  }

  @Needs('READ')
  @Subscription(() => Event, {
    description:
      'Events of everything that belongs to the viewer. Without `after`, begins with one event for each generation that has not ended. Does not end.',
    subscribe: async ({ args, context: { services, viewer, signal }, info }: Subscribing) =>
      inTurn(
        only(args, await services.subscriptions.watchViewer(viewer, watching(args, info), signal)),
      ),
  })
  viewerEvents(
    @Root() event: EventView,
    @Arg('after', () => Cursor, afterArg) _after: string,
    @Arg('preview', () => PreviewOptions, previewArg) _preview: PreviewOptions,
    @Arg('only', () => [EventType], onlyArg) _only: EventType[],
  ) {
    return event;
  }

  @FieldResolver(() => Generation, {
    description: 'State of the generation at delivery: never older than the event, possibly newer.',
  })
  async generation(
    @Root() event: { generationId: string; cursor: string },
    @Ctx() { services, viewer, signal }: Context,
  ) {
    // While the database is away the event waits: nobody would ask for it again.
    const load = () => services.generations.load(viewer, event.generationId);
    const row = await services.patiently(load, signal);
    return row && { ...row, eventCursor: event.cursor };
  }
}

@Resolver(() => GenerationImageReady)
export class ImageReadyResolver {
  @FieldResolver(() => Asset, { description: 'The stored image.' })
  image(@Root() event: ImageReadyView, @Ctx() { services, viewer, signal }: Context) {
    return services.patiently(() => services.assets.load(viewer, event.assetId), signal);
  }
}

@Resolver(() => AssetsChanged)
export class AssetsChangedResolver {
  @FieldResolver(() => [Asset], {
    description: 'The assets as they are at delivery, without those that are deleted by now.',
  })
  async assets(@Root() { assetIds }: AssetsView, @Ctx() { services, viewer, signal }: Context) {
    const load = (id: string) => services.patiently(() => services.assets.load(viewer, id), signal);
    const rows = await Promise.all(assetIds.map(load));
    return rows.filter((row) => row !== null);
  }
}

@Resolver(() => AssetsDeleted)
export class AssetsDeletedResolver {
  @FieldResolver(() => [ID], { description: 'Global ids of the assets.' })
  assetIds(@Root() { assetIds }: AssetsView) {
    return assetIds.map((id) => toGlobalId('Asset', id));
  }
}

/** Leaves out what was not asked for. */
function only(args: EventArgs, events: AsyncGenerator<EventView>): AsyncGenerator<EventView> {
  const types = args.only && new Set<string>([...args.only, 'EventsReset']);
  return types ? ofTypes(types, events) : events;
}

async function* ofTypes(types: ReadonlySet<string>, events: AsyncGenerator<EventView>) {
  for await (const event of events) if (types.has(event.type)) yield event;
}

const usual: PreviewOptions = {
  format: 'WEBP',
  maxSize: null,
  everyMs: previewLimits.everyMs.default,
};

/** Frames and positions in the queue are computed only for a viewer that selects them. */
function watching({ after, preview }: EventArgs, info: GraphQLResolveInfo) {
  const { format, maxSize, everyMs } = preview ?? usual;
  const options = { format, maxSize: maxSize ?? null, everyMs };
  return {
    after: after ?? null,
    asked: options,
    previews: selects(info, ['previews']) ? options : null,
    positions: selects(info, ['position', 'estimatedStartAt']),
  };
}
