import 'reflect-metadata';
import { Field, Float, ID, InputType, Int, ObjectType } from 'type-graphql';
import { auditLimits, keyLimits, maxKeys } from '../services/access/limits.ts';
import { connectionOf } from './connection.ts';
import { Node } from './node.ts';
import { Bytes, DateTime } from './scalars.ts';
import { Needs, Scope } from './scope.ts';
import { User } from './user.ts';

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'What was used in a time.' })
export class Usage {
  @Field(() => Int, { description: 'Generations that were requested.' })
  generations!: number;

  @Field(() => Int, { description: 'Images that were stored by generations.' })
  images!: number;

  @Field(() => Int, { description: 'Steps that were computed.' })
  steps!: number;

  @Field(() => Float, { description: 'Seconds that the engine worked.' })
  engineSeconds!: number;

  @Field(() => Bytes, { description: 'Bytes of the images that were stored, without renditions.' })
  storedBytes!: number;
}

@Needs('WRITE')
@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description:
    'A key that programs authenticate with. The key itself is shown once, when it is created.',
})
export class ApiKey extends Node {
  @Field(() => String, { description: 'Name, for people.' })
  name!: string;

  @Field(() => String, { description: 'How the key begins, to tell keys apart.' })
  prefix!: string;

  @Field(() => [Scope], { description: 'What it may do, within what the role of its user allows.' })
  scopes!: Scope[];

  @Field(() => DateTime, { description: 'Time at which it was created.' })
  createdAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Time of the last request with it, to the minute; null where it was never used.',
  })
  lastUsedAt!: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Time at which it ends; null where it ends when it is revoked.',
  })
  expiresAt!: Date | null;
}

@InputType({ description: 'Input of `createApiKey`.' })
export class CreateApiKeyInput {
  @Field(() => String, {
    description: `Name, ${keyLimits.name.min} to ${keyLimits.name.max} characters, at least one of them visible.`,
  })
  name!: string;

  @Field(() => [Scope], {
    description: 'What it may do; only scopes of the credential that creates it.',
  })
  scopes!: Scope[];

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Time at which it ends, not after the key that creates it. Default: that of the key that creates it, else never.',
  })
  expiresAt?: Date | null;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `createApiKey`.' })
export class CreateApiKeyPayload {
  @Field(() => ApiKey, { description: 'The new key.' })
  apiKey!: ApiKey;

  @Field(() => String, {
    description:
      'The key itself, for `Authorization: Bearer …`. It is not stored and cannot be read again.',
  })
  secret!: string;
}

@InputType({ description: 'Input of `revokeApiKey`.' })
export class RevokeApiKeyInput {
  @Field(() => ID, { description: 'Global id of the key.' })
  id!: string;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `revokeApiKey`.' })
export class RevokeApiKeyPayload {
  @Field(() => ID, { description: 'Global id of the key that was revoked.' })
  revokedApiKeyId!: string;
}

export const createApiKeyText = `Creates an API key of the viewer. It ends with the key that creates it. At most ${maxKeys} keys of a user work at once.`;

export const UserConnection = connectionOf(() => User, 'User', 'users');

@Needs('ADMIN')
@ObjectType({
  simpleResolvers: true,
  description: 'Something that was done to keys, users or links.',
})
export class AuditEntry {
  @Field(() => DateTime, { description: 'Time at which it was done.' })
  createdAt!: Date;

  @Field(() => String, { description: 'What was done, for example `key.create`.' })
  action!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Address that the request came from; null for commands.',
  })
  address!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Row id of the key that was used; null where there was none.',
  })
  apiKeyId!: string | null;

  @Field(() => String, { nullable: true, description: 'Row id of what it was done to.' })
  targetId!: string | null;
}

export const AuditEntryConnection = connectionOf(() => AuditEntry, 'AuditEntry', 'audit entries');

@InputType({ description: 'Conditions on audit entries; an entry must meet all that are given.' })
export class AuditFilter {
  @Field(() => String, {
    nullable: true,
    description: `What was done, at most ${auditLimits.action.max} characters.`,
  })
  action?: string | null;

  @Field(() => ID, { nullable: true, description: 'Global id of the user who did it.' })
  actorId?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Done after this time.' })
  createdAfter?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Done before this time.' })
  createdBefore?: Date | null;
}
