import { appendFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { House } from './harness.ts';
import { randomFrom } from './random.ts';
import { dieTwice } from './round.ts';

// `npm run soak -- --rounds 1000 [--seed 7]`: deaths one after the other on one data folder, one to a round; after
// every second one everything is checked. One line for each check goes to soak/<start>.log and to the terminal; the first loss ends it with code 1.

const rounds = numberAfter('--rounds', 300);
const seed = numberAfter('--seed', Date.now() % 1_000_000);
const folder = fileURLToPath(new URL('../../soak/', import.meta.url));
mkdirSync(folder, { recursive: true });
const file = `${folder}${new Date().toISOString().replace(/[:.]/g, '-')}.log`;
const random = randomFrom(seed);
const house = new House();
const startedAt = performance.now();

say(`rounds ${rounds}, seed ${seed}, log ${file}`);
let round = 0;
try {
  await house.build();
  await house.start();
  await house.learn();
  for (round = 2; round <= rounds; round += 2) {
    const began = performance.now();
    const how = await dieTwice(house, random);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    say(`round ${round} of ${rounds}: died at random, then ${how}; ${seconds} s, ${told()}`);
  }
  say(`held: ${round - 2} deaths, nothing lost, ${minutes()} minutes, ${told()}`);
} catch (error) {
  say(`LOST in round ${round}: ${error instanceof Error ? error.stack : String(error)}`);
  say(`the log of the last life: ${house.server?.lines.slice(-20).join('\n')}`);
  process.exitCode = 1;
} finally {
  await house.tearDown();
}

function told(): string {
  const events = house.subscriber!.seen;
  const ends = events.filter(({ type }) => type === 'GenerationSucceeded').length;
  return `${ends} generations, ${house.subscriber!.last} events without a gap`;
}

function minutes(): string {
  return ((performance.now() - startedAt) / 60_000).toFixed(1);
}

function say(line: string): void {
  const stamped = `${new Date().toISOString()} ${line}`;
  appendFileSync(file, `${stamped}\n`);
  console.log(stamped);
}

function numberAfter(name: string, standard: number): number {
  const at = process.argv.indexOf(name);
  if (at === -1) return standard;
  const value = Number(process.argv[at + 1]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`Expected a number above 0 after ${name}, but got "${process.argv[at + 1]}"`);
}
