import 'reflect-metadata';
import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { Node } from '../schema/node.ts';
import { Needs } from '../schema/scope.ts';
import { nodesLimit } from '../services/library/limits.ts';
import type { Context } from './context.ts';

@Resolver()
export class NodeResolver {
  @Needs('READ')
  @Query(() => Node, {
    nullable: true,
    description:
      'An object by its global id; null where it does not exist or belongs to another user.',
  })
  node(@Arg('id', () => ID, { description: 'Global id.' }) id: string, @Ctx() ctx: Context) {
    return ctx.services.nodes.node(ctx.viewer, id);
  }

  @Needs('READ')
  @Query(() => [Node], {
    nullable: 'items',
    description: `At most ${nodesLimit.max} objects in the order of their ids; null in place of those that do not exist or belong to another user.`,
  })
  nodes(
    @Arg('ids', () => [ID], { description: 'Global ids.' }) ids: string[],
    @Ctx() ctx: Context,
  ) {
    return ctx.services.nodes.nodes(ctx.viewer, ids);
  }
}
