import 'reflect-metadata';
import type { GraphQLSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import { eventTypes } from '../schema/event.ts';
import { AssetResolver } from './asset.resolver.ts';
import { EventResolver, ImageReadyResolver } from './event.resolver.ts';
import { GenerationResolver, GenerationSettingsResolver } from './generation.resolver.ts';
import { NodeResolver } from './node.resolver.ts';
import { ProjectResolver } from './project.resolver.ts';
import { ServerResolver } from './server.resolver.ts';
import { UserResolver, ViewerResolver } from './viewer.resolver.ts';

/** Events come from the services: the publishing of type-graphql is not used, but must be configured. */
const unusedPubSub = {
  publish(): never {
    throw new Error('Expected events to be published by the services');
  },
  subscribe(): never {
    throw new Error('Expected every subscription to bring its own events');
  },
};

let built: GraphQLSchema | undefined;

/** The schema, out of the decorated classes; the same object at every call. */
export function buildSchema(): GraphQLSchema {
  built ??= buildSchemaSync({
    resolvers: [
      AssetResolver,
      EventResolver,
      GenerationResolver,
      GenerationSettingsResolver,
      ImageReadyResolver,
      NodeResolver,
      ProjectResolver,
      ServerResolver,
      UserResolver,
      ViewerResolver,
    ],
    // Types that no field names, as they are reached through an interface.
    orphanedTypes: [...eventTypes],
    pubSub: unusedPubSub,
    // The services check every value, and say what they expected.
    validate: false,
  });
  return built;
}
