import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeRandomModel } from '../test/support/random-model.ts';
import { draw } from './client.ts';
import type { Benchmark, Figure } from './figure.ts';
import { type Server, startServer, withFolder } from './server.ts';

/** Native tensors, handles and files are not seen by a collector: what is not given back shows here. */
export const growth: Benchmark = {
  title: 'What 1,000 generations leave behind (tiny model, 64 px, 4 steps)',
  async run({ isQuick }) {
    const [early, late] = isQuick ? [20, 100] : [100, 1_000];
    return withFolder(async (folder) => {
      writeRandomModel(join(folder, 'models', 'random'));
      const server = await startServer(join(folder, 'data'), {
        program: 'dist/main.js',
        env: { MODELS_DIR: join(folder, 'models'), DEFAULT_MODEL: 'random' },
      });
      try {
        let drawn = 0;
        const drawUntil = async (count: number) => {
          for (; drawn < count; drawn++) {
            await draw(server.url, { prompt: `boat ${drawn}`, width: 64, height: 64, steps: 4 });
          }
          await delay(2_000); // Sockets of the last ones are closed.
          return countOf(server);
        };
        const [before, after] = [await drawUntil(early), await drawUntil(late)];
        return Object.keys(before).flatMap((what): Figure[] => [
          {
            what: `${what}, after ${late} ÷ after ${early}`,
            value: after[what]! / before[what]!,
            unit: '×',
            atMost: 1.05,
            note: `${before[what]!.toFixed(1)} to ${after[what]!.toFixed(1)}`,
          },
        ]);
      } finally {
        await server.close();
      }
    });
  },
};

/** Megabytes and numbers. */
async function countOf(server: Server): Promise<Record<string, number>> {
  const live = (await server.liveBytes()) / 1e6;
  const { resident, anonymous } = server.memory();
  const { handles, files } = await server.held();
  return {
    'live MB': live,
    'resident MB': resident,
    'MB that no file backs': anonymous,
    handles,
    'open files': files,
  };
}
