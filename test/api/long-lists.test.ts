import { buildSchema, graphql } from 'graphql';
import { expect, test } from 'vitest';
import { giveWayOnLongLists } from '../../src/resolvers/long-lists.ts';

const schema = giveWayOnLongLists(
  buildSchema(`
    type Query { things: ThingConnection! }
    type ThingConnection { nodes: [Thing!]! edges: [ThingEdge!]! }
    type ThingEdge { node: Thing! }
    type Thing { number: Int! }
  `),
);

test.each([0, 1, 100, 101, 250])('a page of %i is complete and in order', async (length) => {
  const nodes = Array.from({ length }, (_, number) => ({ number }));
  const rootValue = { things: { nodes, edges: nodes.map((node) => ({ node })) } };
  const source = '{ things { nodes { number } edges { node { number } } } }';
  const { data, errors } = await graphql({ schema, source, rootValue });
  expect(errors).toBeUndefined();
  expect(JSON.parse(JSON.stringify(data))).toEqual(rootValue);
});

test('others have their turn on the event loop while a long page is completed', async () => {
  const seen: string[] = [];
  const nodes = Array.from({ length: 250 }, (_, number) => ({
    number: () => {
      if (number % 100 === 0) seen.push(`item ${number}`);
      return number;
    },
  }));
  const source = '{ things { nodes { number } } }';
  const answer = graphql({ schema, source, rootValue: { things: { nodes } } });
  setImmediate(() => seen.push('another'));
  await answer;
  expect(seen.indexOf('another')).toBeLessThan(seen.indexOf('item 200'));
});
