import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Atelier, openAtelier } from './support/service-fixture.ts';
import { draws, shutAt } from './support/stand-in-engine.ts';

let atelier: Atelier;
beforeAll(async () => {
  atelier = await openAtelier();
});
afterAll(() => atelier.close());

test("nobody's first picture waits for another's twentieth", async () => {
  const [many, late] = [await atelier.newViewer(), await atelier.newViewer()];
  const order: number[] = [];
  // The first picture stands still until everybody has asked.
  const first = shutAt(1, ({ seed }) => seed === 1);
  const gate: typeof first.gate = (request, step) => {
    if (step === 1) order.push(request.seed);
    return first.gate(request, step);
  };
  await atelier.run(draws(gate), { concurrency: 1 });
  const asked = [];
  for (let seed = 1; seed <= 20; seed++) {
    asked.push(await atelier.ask(many, { settings: { prompt: 'a boat', seed } }));
  }
  await first.arrived;
  const newcomer = await atelier.ask(late, { settings: { prompt: 'a boat', seed: 99 } });
  first.open();
  await atelier.ended(late, newcomer);
  await atelier.ended(many, asked.at(-1)!);
  expect(order).toHaveLength(21);
  expect(order.indexOf(99)).toBe(1); // Right after what ran when it came.
}, 60_000);
