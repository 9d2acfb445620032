import { setImmediate } from 'node:timers/promises';
import { defaultFieldResolver, type GraphQLSchema, isObjectType } from 'graphql';

/** Items of a page that are completed before the event loop has a turn for others. */
const stretch = 100;

/** Lets others in between, while a long page is made into an answer: each of its items may have many fields. */
export function giveWayOnLongLists(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || !type.name.endsWith('Connection')) continue;
    const { nodes, edges } = type.getFields();
    for (const field of [nodes, edges]) {
      if (field === undefined) continue;
      const { resolve = defaultFieldResolver } = field;
      field.resolve = (...asked) => {
        const items = resolve(...asked);
        return Array.isArray(items) && items.length > stretch ? inStretches(items) : items;
      };
    }
  }
  return schema;
}

async function* inStretches<Item>(items: readonly Item[]): AsyncGenerator<Item, void, void> {
  for (let i = 0; i < items.length; i += stretch) {
    if (i > 0) await setImmediate();
    yield* items.slice(i, i + stretch);
  }
}
