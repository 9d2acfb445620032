import 'reflect-metadata';
import { Field, ObjectType, registerEnumType } from 'type-graphql';
import { UserRole } from '../generated/prisma/enums.ts';
import { describe } from './enumeration.ts';
import { Node } from './node.ts';
import { DateTime } from './scalars.ts';
import { Needs } from './scope.ts';

registerEnumType(UserRole, {
  name: 'Role',
  description: 'Role of a user.',
  valuesConfig: describe<keyof typeof UserRole>({
    ADMIN: 'May see and change everything.',
    MEMBER: 'May see and change what is their own.',
  }),
});

@Needs('READ')
@ObjectType({ implements: Node, simpleResolvers: true, description: 'A user account.' })
export class User extends Node {
  @Field(() => String, { description: 'Name, unique in this installation.' })
  name!: string;

  @Field(() => UserRole, { description: 'Role.' })
  role!: UserRole;

  @Field(() => DateTime, { description: 'Time at which the account was created.' })
  createdAt!: Date;
}
