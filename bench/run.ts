/**
 * `npm run bench [-- [--quick] name …]`: every benchmark, or those named; a table on standard output,
 * the same as JSON in `bench/results/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { api } from './api.ts';
import { cancel } from './cancel.ts';
import type { Benchmark } from './figure.ts';
import { growth } from './growth.ts';
import { memory } from './memory.ts';
import { watchOthers } from './others.ts';
import { paused } from './paused.ts';
import { picture } from './picture.ts';
import { previews } from './previews.ts';
import { describeMachine, markdownOf, type Section } from './report.ts';
import { start } from './start.ts';
import { subscribers } from './subscribers.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  start,
  picture,
  api,
  previews,
  cancel,
  memory,
  growth,
  subscribers,
  paused,
};

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const unknown = positionals.find((name) => !(name in benchmarks));
if (unknown !== undefined) {
  const names = Object.keys(benchmarks).join(', ');
  process.stderr.write(`Expected names out of ${names}, but got "${unknown}"\n`);
  process.exit(1);
}

const machine = describeMachine();
const startedAt = new Date();
const sections: Section[] = [];
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  const others = watchOthers();
  const figures = await benchmark.run({ isQuick: values.quick });
  sections.push({ name, title: benchmark.title, figures, coresOfOthers: others() });
}

const folder = new URL('results/', import.meta.url);
mkdirSync(folder, { recursive: true });
const file = new URL(`${startedAt.toISOString().replaceAll(':', '-')}.json`, folder);
const result = { startedAt, isQuick: values.quick, machine, sections };
writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${markdownOf(machine, sections)}\n`);
