import 'reflect-metadata';
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { ApiKey as ApiKeyRow, AuditEntry as AuditRow } from '../generated/prisma/client.ts';
import {
  ApiKey,
  AuditEntry,
  AuditEntryConnection,
  AuditFilter,
  CreateApiKeyInput,
  CreateApiKeyPayload,
  createApiKeyText,
  RevokeApiKeyInput,
  RevokeApiKeyPayload,
  Usage,
  UserConnection,
} from '../schema/access.ts';
import { PageArgs, PeriodArgs } from '../schema/connection.ts';
import { Needs } from '../schema/scope.ts';
import { User } from '../schema/user.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { Context } from './context.ts';
import { filterArg } from './list-args.ts';

@Resolver(() => AuditEntry)
export class AccessResolver {
  @Needs('ADMIN')
  @Query(() => UserConnection, { description: 'All users, by name.' })
  users(@Args(() => PageArgs) args: PageArgs, @Ctx() ctx: Context) {
    return ctx.services.users.page(args);
  }

  @Needs('ADMIN')
  @Query(() => AuditEntryConnection, {
    description: 'What was done to keys, users and links, newest first.',
  })
  auditEntries(
    @Args(() => PageArgs) args: PageArgs,
    @Arg('filter', () => AuditFilter, filterArg) filter: AuditFilter | null,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.audit.page({ filter: filter ?? {}, args });
  }

  @Needs('WRITE')
  @Mutation(() => CreateApiKeyPayload, { nullable: true, description: createApiKeyText })
  createApiKey(
    @Arg('input', () => CreateApiKeyInput, { description: 'Name, scopes and end.' })
    input: CreateApiKeyInput,
    @Ctx() { services, viewer, address }: Context,
  ) {
    return services.keys.create({ viewer, address }, input);
  }

  @Needs('WRITE')
  @Mutation(() => RevokeApiKeyPayload, {
    nullable: true,
    description:
      'Ends an API key, those that were created with it, and within a second what is open with them.',
  })
  revokeApiKey(
    @Arg('input', () => RevokeApiKeyInput, { description: 'The key to revoke.' })
    input: RevokeApiKeyInput,
    @Ctx() { services, viewer, address }: Context,
  ) {
    return services.keys.revoke({ viewer, address }, input.id);
  }

  @FieldResolver(() => User, {
    nullable: true,
    description: 'User who did it; null for commands, and where nobody was known.',
  })
  actor(@Root() entry: AuditRow, @Ctx() { services, viewer }: Context) {
    return entry.actorId && services.users.load(viewer, entry.actorId);
  }

  @FieldResolver(() => String, {
    description: 'Names, roles, scopes and times, as JSON; never secrets or prompts.',
  })
  details(@Root() entry: AuditRow) {
    return JSON.stringify(entry.details);
  }
}

@Resolver(() => ApiKey)
export class ApiKeyResolver {
  @FieldResolver(() => ID, { description: 'Global id.' })
  id(@Root() key: ApiKeyRow) {
    return toGlobalId('ApiKey', key.id);
  }

  @FieldResolver(() => Usage, { description: 'What was used with this key.' })
  usage(
    @Root() { id, ownerId }: ApiKeyRow,
    @Args(() => PeriodArgs) period: PeriodArgs,
    @Ctx() ctx: Context,
  ) {
    return ctx.services.usage({ ownerId, apiKeyId: id }, period);
  }
}
