import 'reflect-metadata';
import { Field, ObjectType, registerEnumType } from 'type-graphql';
import { UserRole } from '../generated/prisma/enums.ts';
import { describe } from './enumeration.ts';
import { Node } from './node.ts';
import { DateTime } from './scalars.ts';

registerEnumType(UserRole, {
  name: 'Role',
  description: 'What a user may do.',
  valuesConfig: describe<keyof typeof UserRole>({
    ADMIN: 'Everything, for everybody.',
    MEMBER: 'Everything with what is their own.',
  }),
});

@ObjectType({ implements: Node, simpleResolvers: true, description: 'Somebody who has projects.' })
export class User extends Node {
  @Field(() => String, { description: 'Unique in this installation.' })
  name!: string;

  @Field(() => UserRole, { description: 'What they may do.' })
  role!: UserRole;

  @Field(() => DateTime, { description: 'When the account was made.' })
  createdAt!: Date;
}
