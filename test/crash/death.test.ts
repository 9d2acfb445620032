import { afterAll, beforeAll, expect, test } from 'vitest';
import { House } from './harness.ts';
import { randomFrom } from './random.ts';
import { crashPoints, die, dieAtRandom, dieWhileStarting, startPoints } from './round.ts';

const house = new House();
beforeAll(() => house.build());
afterAll(() => house.tearDown());
const timeout = 120_000;

test(
  'a start that dies while a migration runs leaves a database that the next start completes',
  async () => {
    const dead = house.begin('migrating');
    expect(await dead.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await house.start();
    await house.learn();
  },
  timeout,
);

for (const point of crashPoints) {
  test(
    `nothing is lost when the process dies ${point.replace('-', ' ')}`,
    () => die(house, point),
    timeout,
  );
}

for (const point of startPoints) {
  test(
    `nothing is lost when a start dies at ${point}, with work waiting`,
    () => dieWhileStarting(house, point),
    timeout,
  );
}

const anySeed = Date.now() % 1_000_000;
for (const seed of [1, 2, 3, 4, 5].map((round) => anySeed + round)) {
  test(
    `nothing is lost when the process dies at a random moment (seed ${seed})`,
    () => dieAtRandom(house, randomFrom(seed)),
    timeout,
  );
}
