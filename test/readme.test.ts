import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { configTable } from './support/config-table.ts';

const root = new URL('../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

describe('the README', () => {
  it('lists every variable with its default and reason, as the configuration has them', () => {
    expect(readme).toContain(configTable());
  });

  it('links only to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => match[1]!);
    const missing = links.filter((link) => !existsSync(fileURLToPath(new URL(link, root))));
    expect(missing).toEqual([]);
  });

  it('shows GraphQL that the schema accepts', () => {
    const schema = buildSchema(readFileSync(new URL('schema.graphql', root), 'utf8'));
    const documents = [
      ...readme.matchAll(/`((?:subscription|query|mutation)[ ({][^`]*)`;|"query": "([^"]*)"/g),
    ];
    expect(documents.length).toBeGreaterThan(1);
    for (const [, program, body] of documents) {
      expect(validate(schema, parse(program ?? body ?? ''))).toEqual([]);
    }
  });
});
