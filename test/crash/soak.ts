import { appendFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../../src/commands/arguments.ts';
import { StartError } from '../../src/errors.ts';
import { Harness } from './harness.ts';
import { randomFrom } from './random.ts';
import { dieTwice } from './round.ts';

const usage = `Usage: npm run soak [-- --rounds <n>] [--seed <n>]

Kills the server again and again on one data folder, once a round; after every second round everything is checked. One
line for each check goes to soak/<start>.log and to the terminal; the first loss ends it with exit code 1.

  --rounds <n>   how many kills, 300 where left out
  --seed <n>     the same seed chooses the same moments; printed at the start
  --help         this text
`;

const text = { type: 'string' } as const;
const { rounds, seed } = argumentsOf(process.argv.slice(2));
const folder = fileURLToPath(new URL('../../soak/', import.meta.url));
mkdirSync(folder, { recursive: true });
const file = `${folder}${new Date().toISOString().replace(/[:.]/g, '-')}.log`;
const random = randomFrom(seed);
const harness = new Harness();
const startedAt = performance.now();

say(`rounds ${rounds}, seed ${seed}, log ${file}`);
let round = 0;
try {
  await harness.build();
  await harness.start();
  await harness.learn();
  for (round = 2; round <= rounds; round += 2) {
    const began = performance.now();
    const how = await dieTwice(harness, random);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    say(`round ${round} of ${rounds}: died at random, then ${how}; ${seconds} s, ${told()}`);
  }
  say(`held: ${round - 2} deaths, nothing lost, ${minutes()} minutes, ${told()}`);
} catch (error) {
  say(`LOST in round ${round}: ${error instanceof Error ? error.stack : String(error)}`);
  say(`the log of the last life: ${harness.server?.lines.slice(-20).join('\n')}`);
  process.exitCode = 1;
} finally {
  await harness.tearDown();
}

function told(): string {
  const events = harness.subscriber!.seen;
  const ends = events.filter(({ type }) => type === 'GenerationSucceeded').length;
  return `${ends} generations, ${harness.subscriber!.last} events without a gap`;
}

function minutes(): string {
  return ((performance.now() - startedAt) / 60_000).toFixed(1);
}

function say(line: string): void {
  const stamped = `${new Date().toISOString()} ${line}`;
  appendFileSync(file, `${stamped}\n`);
  console.log(stamped);
}

/** Ends the program where help was asked for, or where an argument makes no sense. */
function argumentsOf(argv: readonly string[]): { rounds: number; seed: number } {
  try {
    const options = { rounds: text, seed: text };
    const parsed = readArguments(argv, { command: 'npm run soak', options, maxWords: 0 });
    if (parsed !== 'help') {
      return {
        rounds: numberOf('rounds', parsed.values.rounds, 300),
        seed: numberOf('seed', parsed.values.seed, Date.now() % 1_000_000),
      };
    }
    process.stdout.write(usage);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`easel: ${error.message}\n`);
    process.exit(1);
  }
}

function numberOf(name: string, value: string | undefined, standard: number): number {
  const number = value === undefined ? standard : Number(value);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new StartError(`Expected a whole number above 0 after --${name}, but got "${value}"`);
}
