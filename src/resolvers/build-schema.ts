import 'reflect-metadata';
import { defaultFieldResolver, type GraphQLSchema, getNamedType, isObjectType } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import { DomainError } from '../errors.ts';
import { eventTypes } from '../schema/event.ts';
import { AccessResolver, ApiKeyResolver } from './access.resolver.ts';
import { AssetResolver } from './asset.resolver.ts';
import { AssetChangesResolver } from './asset-changes.resolver.ts';
import { boundAnswer } from './bounded-answer.ts';
import type { Context } from './context.ts';
import {
  AssetsChangedResolver,
  AssetsDeletedResolver,
  EventResolver,
  ImageReadyResolver,
} from './event.resolver.ts';
import { GenerationResolver, GenerationSettingsResolver } from './generation.resolver.ts';
import { GenerationChangesResolver } from './generation-changes.resolver.ts';
import { LibraryResolver } from './library.resolver.ts';
import { giveWayOnLongLists } from './long-lists.ts';
import { NodeResolver } from './node.resolver.ts';
import { askOnePageAtATime } from './one-page-at-a-time.ts';
import { ProjectResolver } from './project.resolver.ts';
import { ProjectChangesResolver } from './project-changes.resolver.ts';
import { requireDeclaredScopes } from './scopes.ts';
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
  built ??= [
    requireDeclaredScopes,
    boundAnswer,
    stopWhenGone,
    askOnePageAtATime,
    giveWayOnLongLists,
  ].reduce(
    (schema, extend) => extend(schema),
    buildSchemaSync({
      resolvers: [
        AccessResolver,
        ApiKeyResolver,
        AssetChangesResolver,
        AssetResolver,
        AssetsChangedResolver,
        AssetsDeletedResolver,
        EventResolver,
        GenerationChangesResolver,
        GenerationResolver,
        GenerationSettingsResolver,
        ImageReadyResolver,
        LibraryResolver,
        NodeResolver,
        ProjectChangesResolver,
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
    }),
  );
  return built;
}

/**
 * Nothing more is asked of the database for a client that has gone: not the rest of a chain of mutations, nor the pages
 * below what it has asked for.
 */
function stopWhenGone(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const { resolve = defaultFieldResolver } = field;
      const isPage = getNamedType(field.type).name.endsWith('Connection');
      if (type.name !== 'Mutation' && !isPage) continue;
      field.resolve = (source, args, context: Context, info) => {
        if (context.signal.aborted) throw reasonOf(context.signal);
        const result = resolve(source, args, context, info);
        return type.name === 'Mutation' ? unlessEnded(result, context.signal) : result;
      };
    }
  }
  return schema;
}

/** What a wait gives after the credential has ended is no longer its holder's. */
async function unlessEnded(result: unknown, signal: AbortSignal): Promise<unknown> {
  const value = await result;
  if (signal.reason instanceof DomainError) throw signal.reason;
  return value;
}

function reasonOf({ reason }: AbortSignal): DomainError {
  return reason instanceof DomainError ? reason : clientHasGone();
}

function clientHasGone(): DomainError {
  const text = 'Expected the client to wait for its answer, but it has gone, or the server stops';
  return new DomainError('UNAVAILABLE', text, { retryAfter: 1 });
}
