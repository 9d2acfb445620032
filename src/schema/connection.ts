import 'reflect-metadata';
import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import { pageSize } from '../services/relay/limits.ts';
import { Cursor, DateTime } from './scalars.ts';
import { Needs } from './scope.ts';

const simple = { simpleResolvers: true };

@ArgsType()
export class PageArgs {
  @Field(() => Int, {
    nullable: true,
    description: `Number of items from the start of the list, ${pageSize.min} to ${pageSize.max}. Default, where \`last\` is not given either: ${pageSize.default}.`,
  })
  first?: number | null;

  @Field(() => Cursor, { nullable: true, description: 'Only items after this cursor.' })
  after?: string | null;

  @Field(() => Int, {
    nullable: true,
    description: `Number of items from the end of the list, ${pageSize.min} to ${pageSize.max}.`,
  })
  last?: number | null;

  @Field(() => Cursor, { nullable: true, description: 'Only items before this cursor.' })
  before?: string | null;
}

@ArgsType()
export class PeriodArgs {
  @Field(() => DateTime, { nullable: true, description: 'From this time on. Default: all along.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this time. Default: until now.' })
  to?: Date | null;
}

@Needs('READ')
@ObjectType({ description: 'Position of a page in its list.', ...simple })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether there are items after this page.' })
  hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'Whether there are items before this page.' })
  hasPreviousPage!: boolean;

  @Field(() => Cursor, {
    nullable: true,
    description: 'Cursor of the first item; null on an empty page.',
  })
  startCursor!: string | null;

  @Field(() => Cursor, {
    nullable: true,
    description: 'Cursor of the last item; null on an empty page.',
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
  @Needs('READ')
  @ObjectType(`${name}Edge`, {
    description: `An item of a list of ${nouns}, with its cursor.`,
    ...simple,
  })
  class Edge {
    @Field(() => Cursor, { description: 'Position in the list.' })
    cursor!: string;

    @Field(node, { description: `The item at this position of the list of ${nouns}.` })
    node!: Node;
  }

  @Needs('READ')
  @ObjectType(`${name}Connection`, { description: `A page of ${nouns}.`, ...simple })
  abstract class Connection {
    @Field(() => [Edge], { description: 'Items of this page with their cursors.' })
    edges!: Edge[];

    @Field(() => [node()], { description: 'Items of this page without cursors.' })
    nodes!: Node[];

    @Field(() => PageInfo, { description: 'Position of this page in the list.' })
    pageInfo!: PageInfo;

    @Field(() => Int, {
      description: 'Number of all items in the list. Counted only where it is selected.',
    })
    totalCount!: number;
  }
  return Connection;
}
