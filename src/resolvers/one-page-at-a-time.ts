import {
  defaultFieldResolver,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
} from 'graphql';
import type { Context } from './context.ts';

/**
 * The pages of one operation, and what they count, are asked of the database one after the other: however many an operation
 * has, those of others come in between. What has not begun when the client goes is not asked.
 */
export function askOnePageAtATime(schema: GraphQLSchema): GraphQLSchema {
  const last = new WeakMap<Context, Promise<unknown>>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const isPage = getNamedType(field.type).name.endsWith('Connection');
      const isCount = type.name.endsWith('Connection') && field.name === 'totalCount';
      if (!isPage && !isCount) continue;
      const resolve: GraphQLFieldResolver<unknown, Context> = field.resolve ?? defaultFieldResolver;
      field.resolve = (source, args, context: Context, info) => {
        const before = last.get(context) ?? Promise.resolve();
        const answer = before.then(() => resolve(source, args, context, info));
        last.set(
          context,
          answer.catch(() => {}),
        );
        return answer;
      };
    }
  }
  return schema;
}
