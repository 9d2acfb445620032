import { GraphQLObjectType, type GraphQLScalarType, GraphQLSchema, graphqlSync } from 'graphql';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { DateTime, Seed } from '../../src/schema/scalars.ts';
import { mapError } from '../../src/server/error-mapping.ts';

/** What a client reads, and the log has, when a resolver gives `value` for a field of `type`. */
function answered(type: GraphQLScalarType, value: unknown) {
  const fields = { field: { type, resolve: () => value } };
  const schema = new GraphQLSchema({ query: new GraphQLObjectType({ name: 'Query', fields }) });
  const { data, errors = [] } = graphqlSync({ schema, source: '{ field }' });
  const logged: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => logged.push(line) });
  const codes = errors.map((error) => mapError(error, { requestId: 'id', log }).extensions.code);
  return { field: data?.['field'], codes, logged };
}

describe('a scalar', () => {
  it('serializes valid values', () => {
    expect(answered(Seed, 7n).field).toBe('7');
    expect(answered(DateTime, new Date(0)).field).toBe('1970-01-01T00:00:00.000Z');
  });

  it.each([
    ['Seed', Seed, 'seven', 'Seed, but got string seven'],
    ['DateTime', DateTime, 7, 'DateTime, but got number 7'],
    ['DateTime', DateTime, new Date(Number.NaN), 'Invalid time value'],
  ])("logs an invalid value of the server's own as a defect: %s", (_name, type, value, words) => {
    const { codes, logged } = answered(type, value);
    expect(codes).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(logged).toEqual([expect.stringContaining(words)]);
  });
});
