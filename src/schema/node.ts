import 'reflect-metadata';
import { Field, ID, InterfaceType } from 'type-graphql';
import { Needs } from './scope.ts';

@Needs('READ')
@InterfaceType('Node', {
  description: 'An object with a global id, which the query `node` takes.',
  resolveType: (value: { __typename: string }) => value.__typename,
})
export abstract class Node {
  @Field(() => ID, { description: 'Global id: opaque, permanent, and unique among all objects.' })
  id!: string;
}
