import { crashPoints } from '../../src/services/runner/crash-points.ts';
import { type EaselProcess, proveRefused } from './easel-process.ts';
import type { House } from './harness.ts';
import type { Asked } from './viewer.ts';

export { crashPoints };
/** Points that every start passes, in their order. */
export const startPoints = ['database-open', 'engine-open', 'listening'] as const;

/** Dies at a named point, and everything is checked in the next life. */
export async function die(house: House, point: string): Promise<void> {
  await house.server!.kill();
  const server = await house.start(`${point}:2`);
  const requests = [house.next(), house.next(), house.next()];
  await requestAll(house, requests);
  await expectDeath(server);
  await house.start();
  await house.verify(requests);
}

/** Dies of `kill -9` when it has had a little time for the work; in one of three rounds again while it starts. */
export async function dieAtRandom(house: House, random: () => number): Promise<void> {
  const requests = await dieAtWork(house, random);
  if (random() < 1 / 3) await dieStarting(house, random() * 3_000);
  await house.start();
  await house.verify(requests);
}

/** Dies at a named point of the start, while work of an earlier life waits. */
export async function dieWhileStarting(house: House, point: string): Promise<void> {
  const requests = [house.next(), house.next()];
  await requestAll(house, requests);
  await house.server!.kill();
  await expectDeath(house.begin(point));
  await house.start();
  await house.verify(requests);
}

/**
 * Two deaths for one check, the second of which meets what the first one has left: at a named point, during the
 * start, or at random. Says how the second one died.
 */
export async function dieTwice(house: House, random: () => number): Promise<string> {
  const requests = await dieAtWork(house, random);
  const how = await dieAgain(house, random, requests);
  await house.start();
  await house.verify(requests);
  return how;
}

async function dieAgain(house: House, random: () => number, requests: Asked[]): Promise<string> {
  const dice = random();
  if (dice < 0.15) {
    await dieStarting(house, random() * 3_000);
    return 'while it started';
  }
  if (dice < 0.3) {
    const point = oneOf(startPoints, random);
    await expectDeath(house.begin(point));
    return `at ${point}`;
  }
  if (dice < 0.65) {
    const point = `${oneOf(crashPoints, random)}:${1 + Math.floor(random() * 3)}`;
    const server = house.begin(point);
    await Promise.race([server.listening.catch(() => {}), server.ended]);
    requests.push(house.next(), house.next(), house.next());
    await requestAll(house, requests);
    await expectDeath(server);
    return `at ${point}`;
  }
  await house.start();
  requests.push(...(await dieAtWork(house, random)));
  return 'at random';
}

/** What was asked for before it died. */
async function dieAtWork(house: House, random: () => number): Promise<Asked[]> {
  const requests = Array.from({ length: 1 + Math.floor(random() * 4) }, () => house.next());
  const asking = requestAll(house, requests);
  await pause(random() * 700);
  await house.server!.kill();
  await asking;
  return requests;
}

async function dieStarting(house: House, afterMs: number): Promise<void> {
  const server = house.begin();
  await Promise.race([pause(afterMs), server.listening.catch(() => {})]);
  server.signal('SIGKILL');
  await expectDeath(server);
}

async function requestAll(house: House, requests: readonly Asked[]): Promise<void> {
  await Promise.all(requests.map((asked) => house.request(asked)));
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
