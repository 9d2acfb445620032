import { defaultFieldResolver, type GraphQLSchema, getNamedType, isObjectType } from 'graphql';
import { DomainError } from '../errors.ts';
import type { Context } from './context.ts';

/** UTF-16 code units of all texts in one answer. */
const maxText = 16_000_000;

/**
 * Ends an answer whose texts grow too large. What an operation may cost is weighed before it is executed, by how long texts
 * usually are; how long they are is seen here.
 */
export function boundAnswer(schema: GraphQLSchema): GraphQLSchema {
  const sizes = new WeakMap<Context, number>();
  const count = (context: Context, value: unknown) => {
    const size = (sizes.get(context) ?? 0) + textIn(value);
    sizes.set(context, size);
    if (size > maxText) throw tooLarge(size);
    return value;
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      if (!['String', 'URL'].includes(getNamedType(field.type).name)) continue;
      const { resolve = defaultFieldResolver } = field;
      field.resolve = (source, args, context: Context, info) => {
        const value = resolve(source, args, context, info);
        return value instanceof Promise
          ? value.then((found) => count(context, found))
          : count(context, value);
      };
    }
  }
  return schema;
}

function textIn(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (!Array.isArray(value)) return 0;
  return value.reduce((sum: number, one: unknown) => sum + textIn(one), 0);
}

function tooLarge(got: number): DomainError {
  const text = `Expected at most ${maxText} characters in an answer, but got more: ask for less at once`;
  return new DomainError('QUERY_TOO_COMPLEX', text, { max: maxText, got });
}
