/**
 * `npm run bench [-- [--quick] name …]`: every benchmark, or those named; a table on standard output,
 * the same as JSON in `bench/results/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readArguments } from '../src/commands/arguments.ts';
import { StartError } from '../src/errors.ts';
import { api } from './api.ts';
import { attack } from './attack.ts';
import { cancel } from './cancel.ts';
import type { Benchmark } from './figure.ts';
import { growth } from './growth.ts';
import { image } from './image.ts';
import { memory } from './memory.ts';
import { notYours } from './not-yours.ts';
import { watchOthers } from './others.ts';
import { paused } from './paused.ts';
import { previews } from './previews.ts';
import { describeMachine, markdownOf, type Section } from './report.ts';
import { start } from './start.ts';
import { subscribers } from './subscribers.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  start,
  image,
  api,
  previews,
  cancel,
  memory,
  growth,
  subscribers,
  paused,
  attack,
  'not-yours': notYours,
};

const usage = `Usage: npm run bench [-- [--quick] [<name> ...]]

Measures, and prints a table; the same as JSON is written to bench/results/. Without names everything is measured:
${Object.keys(benchmarks).join(', ')}.

  --quick   few samples, to see that the benchmarks work
  --help    this text
`;

const { isQuick, chosen } = argumentsOf(process.argv.slice(2));
const machine = describeMachine();
const startedAt = new Date();
const sections: Section[] = [];
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  const others = watchOthers();
  const figures = await benchmark.run({ isQuick });
  sections.push({ name, title: benchmark.title, figures, coresOfOthers: others() });
}

const folder = new URL('results/', import.meta.url);
mkdirSync(folder, { recursive: true });
const file = new URL(`${startedAt.toISOString().replaceAll(':', '-')}.json`, folder);
const result = { startedAt, isQuick, machine, sections };
writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${markdownOf(machine, sections)}\n`);

/** Ends the program where help was asked for, or where an argument makes no sense. */
function argumentsOf(argv: readonly string[]): { isQuick: boolean; chosen: readonly string[] } {
  try {
    const options = { quick: { type: 'boolean' } } as const;
    const maxWords = Number.POSITIVE_INFINITY;
    const parsed = readArguments(argv, { command: 'npm run bench', options, maxWords });
    if (parsed !== 'help') {
      const unknown = parsed.words.find((name) => !Object.hasOwn(benchmarks, name));
      if (unknown === undefined) {
        return { isQuick: parsed.values.quick === true, chosen: parsed.words };
      }
      const names = Object.keys(benchmarks).join(', ');
      throw new StartError(`Expected names out of ${names}, but got "${unknown}"`);
    }
    process.stdout.write(usage);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`easel: ${error.message}\n`);
    process.exit(1);
  }
}
