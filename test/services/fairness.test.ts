import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFixture, type ServiceFixture } from './support/service-fixture.ts';
import { draws, shutAt } from './support/stand-in-engine.ts';

let fixture: ServiceFixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

test("nobody's first picture waits for another's twentieth", async () => {
  const [many, late] = [await fixture.newViewer(), await fixture.newViewer()];
  const order: number[] = [];
  // The first picture stands still until everybody has asked.
  const first = shutAt(1, ({ seed }) => seed === 1);
  const gate: typeof first.gate = (request, step) => {
    if (step === 1) order.push(request.seed);
    return first.gate(request, step);
  };
  await fixture.run(draws(gate), { concurrency: 1 });
  const asked = [];
  for (let seed = 1; seed <= 20; seed++) {
    asked.push(await fixture.ask(many, { settings: { prompt: 'a boat', seed } }));
  }
  await first.arrived;
  const newcomer = await fixture.ask(late, { settings: { prompt: 'a boat', seed: 99 } });
  first.open();
  await fixture.ended(newcomer);
  await fixture.ended(asked.at(-1)!);
  expect(order).toHaveLength(21);
  expect(order.indexOf(99)).toBe(1); // Right after what ran when it came.
}, 60_000);
