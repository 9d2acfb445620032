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

/** Those of one stretch together, so that what they load is still loaded for all of them at once. */
function inStretches<Item>(items: readonly Item[]): (Item | Promise<Item>)[] {
  const turns: Promise<unknown>[] = [Promise.resolve()];
  for (let begin = stretch; begin < items.length; begin += stretch) {
    turns.push(turns.at(-1)!.then(() => setImmediate()));
  }
  return items.map((item, i) => {
    const turn = Math.floor(i / stretch);
    return turn === 0 ? item : turns[turn]!.then(() => item);
  });
}
