import { crashPoints } from '../../src/services/runner/crash-points.ts';
import { type EaselProcess, proveRefused } from './easel-process.ts';
import type { Harness } from './harness.ts';
import type { Asked } from './viewer.ts';

export { crashPoints };
/** Points that every start passes, in their order. */
export const startPoints = ['database-open', 'engine-open', 'listening'] as const;

/** Dies at a named point, and everything is checked in the next life. */
export async function die(harness: Harness, point: string): Promise<void> {
  await harness.server!.kill();
  const server = await harness.start(`${point}:2`);
  const requests = [harness.next(), harness.next(), harness.next()];
  await requestAll(harness, requests);
  await expectDeath(server);
  await harness.start();
  await harness.verify(requests);
}

/** Dies of `kill -9` when it has had a little time for the work; in one of three rounds again while it starts. */
export async function dieAtRandom(harness: Harness, random: () => number): Promise<void> {
  const requests = await dieAtWork(harness, random);
  if (random() < 1 / 3) await dieStarting(harness, random() * 3_000);
  await harness.start();
  await harness.verify(requests);
}

/** Dies at a named point of the start, while work of an earlier life waits. */
export async function dieWhileStarting(harness: Harness, point: string): Promise<void> {
  const requests = [harness.next(), harness.next()];
  await requestAll(harness, requests);
  await harness.server!.kill();
  await expectDeath(harness.begin(point));
  await harness.start();
  await harness.verify(requests);
}

/**
 * Two deaths for one check, the second of which meets what the first one has left: at a named point, during the
 * start, or at random. Says how the second one died.
 */
export async function dieTwice(harness: Harness, random: () => number): Promise<string> {
  const requests = await dieAtWork(harness, random);
  const how = await dieAgain(harness, random, requests);
  await harness.start();
  await harness.verify(requests);
  return how;
}

async function dieAgain(
  harness: Harness,
  random: () => number,
  requests: Asked[],
): Promise<string> {
  const dice = random();
  if (dice < 0.15) {
    await dieStarting(harness, random() * 3_000);
    return 'while it started';
  }
  if (dice < 0.3) {
    const point = oneOf(startPoints, random);
    await expectDeath(harness.begin(point));
    return `at ${point}`;
  }
  if (dice < 0.65) {
    const point = `${oneOf(crashPoints, random)}:${1 + Math.floor(random() * 3)}`;
    const server = harness.begin(point);
    await Promise.race([server.listening.catch(() => {}), server.ended]);
    requests.push(harness.next(), harness.next(), harness.next());
    await requestAll(harness, requests);
    await expectDeath(server);
    return `at ${point}`;
  }
  await harness.start();
  requests.push(...(await dieAtWork(harness, random)));
  return 'at random';
}

/** What was asked for before it died. */
async function dieAtWork(harness: Harness, random: () => number): Promise<Asked[]> {
  const requests = Array.from({ length: 1 + Math.floor(random() * 4) }, () => harness.next());
  const asking = requestAll(harness, requests);
  await pause(random() * 700);
  await harness.server!.kill();
  await asking;
  return requests;
}

async function dieStarting(harness: Harness, afterMs: number): Promise<void> {
  const server = harness.begin();
  await Promise.race([pause(afterMs), server.listening.catch(() => {})]);
  server.signal('SIGKILL');
  await expectDeath(server);
}

async function requestAll(harness: Harness, requests: readonly Asked[]): Promise<void> {
  await Promise.all(requests.map((asked) => harness.request(asked)));
}

async function expectDeath({ ended, port }: EaselProcess): Promise<void> {
  const { signal } = await ended;
  if (signal !== 'SIGKILL') throw new Error(`Expected death by SIGKILL, but got ${signal}`);
  await proveRefused(port);
}

function oneOf<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)]!;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
