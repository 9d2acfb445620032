import { type DocumentNode, Kind, type ValueNode, visit } from 'graphql';
import { DomainError } from '../errors.ts';
import { changeIds } from '../services/relay/limits.ts';

/** Items of the longest list that any argument takes. */
const longestList = changeIds.max;
/** So many items of an argument weigh as much as one field: each is checked and copied wherever the argument stands. */
const itemsOfField = 20;

/**
 * No argument takes a longer list, and none is read item by item to find that out.
 * @throws DomainError BAD_USER_INPUT
 */
export function checkLists(
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): void {
  visit(document, {
    ListValue({ values }) {
      if (values.length > longestList) throw tooLong(values.length);
    },
  });
  for (const value of objectsIn(variables)) {
    if (Array.isArray(value) && value.length > longestList) throw tooLong(value.length);
  }
}

/** A value and all objects and lists in it, without recursion: clients may nest them as deep as they like. */
function* objectsIn(root: unknown): Generator<object> {
  const open = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    yield value;
    for (const inner of Object.values(value)) {
      if (typeof inner === 'object' && inner !== null) open.push(inner);
    }
  }
}

/** What the items of a field's arguments weigh, in fields. Variables are counted once, however often they stand. */
export function createItemWeights(
  variables: Readonly<Record<string, unknown>>,
): (values: readonly ValueNode[]) => number {
  const counted = new Map<string, number>();
  const itemsOf = (node: ValueNode): number => {
    switch (node.kind) {
      case Kind.LIST:
        return node.values.length + node.values.reduce((sum, inner) => sum + itemsOf(inner), 0);
      case Kind.OBJECT:
        return node.fields.reduce((sum, { value }) => sum + itemsOf(value), 0);
      case Kind.VARIABLE: {
        const { value: name } = node.name;
        const known = counted.get(name) ?? itemsIn(variables[name]);
        counted.set(name, known);
        return known;
      }
      default:
        return 0;
    }
  };
  return (values) =>
    Math.floor(values.reduce((sum, value) => sum + itemsOf(value), 0) / itemsOfField);
}

function itemsIn(root: unknown): number {
  let items = 0;
  for (const value of objectsIn(root)) if (Array.isArray(value)) items += value.length;
  return items;
}

function tooLong(got: number): DomainError {
  return new DomainError(
    'BAD_USER_INPUT',
    `Expected lists of at most ${longestList} items in arguments, but got ${got}`,
    { max: longestList, got },
  );
}
