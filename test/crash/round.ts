import { proveRefused } from './easel-process.ts';
import type { House } from './house.ts';
import type { Asked } from './viewer.ts';

/** Dies at a named point, and everything is checked in the next life. */
export async function die(house: House, point: string): Promise<void> {
  await house.server!.kill();
  const server = await house.start(`${point}:2`);
  const requests = [house.next(), house.next(), house.next()];
  await requestAll(house, requests);
  await expectDeath(house, server.ended);
  await house.start();
  await house.verify(requests);
}

/** Dies of `kill -9` when it has had a little time for the work; in one of three rounds again while it starts. */
export async function dieAtRandom(house: House, random: () => number): Promise<void> {
  const requests = Array.from({ length: 1 + Math.floor(random() * 4) }, () => house.next());
  const asking = requestAll(house, requests);
  await pause(random() * 700);
  await house.server!.kill();
  await asking;
  if (random() < 1 / 3) {
    const server = house.begin();
    await Promise.race([pause(random() * 3_000), server.listening.catch(() => {})]);
    server.signal('SIGKILL');
    await server.ended;
    await proveRefused(server.port);
  }
  await house.start();
  await house.verify(requests);
}

/** Dies at a named point of the start, twice over, while work of an earlier life waits. */
export async function dieWhileStarting(house: House, point: string): Promise<void> {
  const requests = [house.next(), house.next()];
  await requestAll(house, requests);
  await house.server!.kill();
  await expectDeath(house, house.begin(point).ended);
  await house.start();
  await house.verify(requests);
}

async function requestAll(house: House, requests: readonly Asked[]): Promise<void> {
  await Promise.all(requests.map((asked) => house.request(asked)));
}

async function expectDeath(
  house: House,
  ended: Promise<{ signal: NodeJS.Signals | null }>,
): Promise<void> {
  const { signal } = await ended;
  if (signal !== 'SIGKILL') throw new Error(`Expected death by SIGKILL, but got ${signal}`);
  await proveRefused(house.server!.port);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
