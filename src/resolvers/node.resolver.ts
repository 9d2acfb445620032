import 'reflect-metadata';
import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { Node } from '../schema/node.ts';
import type { Context } from './context.ts';

@Resolver()
export class NodeResolver {
  @Query(() => Node, {
    nullable: true,
    description:
      "Any object by its global id. Null where it does not exist or is not the viewer's: the two look the same.",
  })
  node(@Arg('id', () => ID, { description: 'Its global id.' }) id: string, @Ctx() ctx: Context) {
    return ctx.services.nodes.node(ctx.viewer, id);
  }

  @Query(() => [Node], {
    nullable: 'items',
    description: 'At most 200, in the order asked for, null where `node` would be.',
  })
  nodes(
    @Arg('ids', () => [ID], { description: 'Their global ids.' }) ids: string[],
    @Ctx() ctx: Context,
  ) {
    return ctx.services.nodes.nodes(ctx.viewer, ids);
  }
}
