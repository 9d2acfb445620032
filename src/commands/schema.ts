import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildSchema } from '../resolvers/build-schema.ts';
import { readArguments } from './arguments.ts';

const file = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
const heading =
  '# Printed from src/schema and src/resolvers by "npm run schema": change it there.\n\n';

const usage = `Usage: npm run schema [-- --check]

Prints the schema of the code into schema.graphql.

  --check   write nothing; exit code 1 where the file differs from the code
  --help    this text
`;

/** @returns the exit code */
export async function run(argv: string[]): Promise<number> {
  const options = { check: { type: 'boolean' } } as const;
  const parsed = readArguments(argv, { command: 'npm run schema', options, maxWords: 0 });
  if (parsed === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const text = printedSchema();
  if (parsed.values.check) {
    const isInStep = readFileSync(file, 'utf8') === text;
    if (!isInStep) process.stderr.write('schema.graphql is out of step: run "npm run schema"\n');
    return isInStep ? 0 : 1;
  }
  writeFileSync(file, text);
  return 0;
}

/** Sorted, so that where a type stands in the code makes no difference. */
export function printedSchema(): string {
  return `${heading}${printSchema(lexicographicSortSchema(buildSchema()))}\n`;
}
