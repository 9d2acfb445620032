import { setTimeout as delay } from 'node:timers/promises';
import { draw, promptNumber } from './client.ts';
import type { Benchmark, Figure } from './figure.ts';
import { type ProcessMemory, withServer } from './server.ts';

/** The whole process: API, embedded database, engine with easel-mini. */
export const memory: Benchmark = {
  title: 'Resident memory of the server',
  async run({ isQuick }) {
    const figures: Figure[] = [];
    await withServer(async (server) => {
      await delay(1_000); // What the start has left is given back.
      figures.push(figure('after the start', server.memory()));
      const marks = isQuick ? [1, 3] : [1, 10, 50];
      for (let n = 1; n <= marks.at(-1)!; n++) {
        await draw(server.url, { prompt: promptNumber(n), width: 256, height: 256, steps: 20 });
        if (marks.includes(n)) figures.push(figure(`after image ${n}`, server.memory()));
      }
      const { peak } = server.memory();
      figures.push({ what: 'at its highest', value: peak, unit: 'MB' });
    });
    return figures;
  },
};

function figure(what: string, { resident, anonymous }: ProcessMemory): Figure {
  return {
    what,
    value: resident,
    unit: 'MB',
    note: `${anonymous.toFixed(0)} MB of it backed by no file`,
  };
}
