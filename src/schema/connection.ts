import 'reflect-metadata';
import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import { Cursor } from './scalars.ts';

const simple = { simpleResolvers: true };

@ArgsType()
export class PageArgs {
  @Field(() => Int, {
    nullable: true,
    description: 'At most this many from the front, 0 to 200; 50 where neither is given.',
  })
  first?: number | null;

  @Field(() => Cursor, { nullable: true, description: 'Only what comes after this cursor.' })
  after?: string | null;

  @Field(() => Int, { nullable: true, description: 'At most this many from the end, 0 to 200.' })
  last?: number | null;

  @Field(() => Cursor, { nullable: true, description: 'Only what comes before this cursor.' })
  before?: string | null;
}

@ObjectType({ description: 'Where a page lies in its list.', ...simple })
export class PageInfo {
  @Field(() => Boolean, { description: 'More follows after the last one here.' })
  hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'More stands before the first one here.' })
  hasPreviousPage!: boolean;

  @Field(() => Cursor, {
    nullable: true,
    description: 'Of the first one; null where there is none.',
  })
  startCursor!: string | null;

  @Field(() => Cursor, {
    nullable: true,
    description: 'Of the last one; null where there is none.',
  })
  endCursor!: string | null;
}

/**
 * The two types of a connection. Their names come with the node's name; `nouns` are for the
 * descriptions, for example `assets`.
 */
export function connectionOf<Node extends object>(
  node: () => ClassType<Node>,
  name: string,
  nouns: string,
) {
  @ObjectType(`${name}Edge`, { description: `One of the ${nouns}, with its place.`, ...simple })
  class Edge {
    @Field(() => Cursor, { description: 'Its place in the list.' })
    cursor!: string;

    @Field(node, { description: 'The object itself.' })
    node!: Node;
  }

  @ObjectType(`${name}Connection`, { description: `A page of ${nouns}.`, ...simple })
  abstract class Connection {
    @Field(() => [Edge], { description: 'The objects of this page, each with its cursor.' })
    edges!: Edge[];

    @Field(() => [node()], { description: 'The same objects without their cursors.' })
    nodes!: Node[];

    @Field(() => PageInfo, { description: 'Where this page lies.' })
    pageInfo!: PageInfo;

    @Field(() => Int, { description: 'All in the list; counted only when it is selected.' })
    totalCount!: number;
  }
  return Connection;
}
