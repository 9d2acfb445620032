import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildSchema } from '../resolvers/build-schema.ts';

const file = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
const heading =
  '# Printed from src/schema and src/resolvers by "npm run schema": change it there.\n\n';

/** `npm run schema`: writes `schema.graphql` anew; with `--check` only says whether it is in step. */
export async function run(argv: string[]): Promise<number> {
  const text = printedSchema();
  if (argv.includes('--check')) {
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
