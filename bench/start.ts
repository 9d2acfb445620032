import { draw } from './client.ts';
import type { Benchmark } from './figure.ts';
import { medianOf } from './figure.ts';
import { startServer, withFolder } from './server.ts';

/** `npm start` where installed and built: from the process to "listening", and to the first image. */
export const start: Benchmark = {
  title: 'Start',
  async run({ isQuick }) {
    const first: number[] = [];
    const second: number[] = [];
    const firstImage: number[] = [];
    for (let round = 0; round < (isQuick ? 1 : 3); round++) {
      await withFolder(async (folder) => {
        const spawnedAt = performance.now();
        const program = 'scripts/boot.cjs start';
        const fresh = await startServer(folder, { program });
        await draw(fresh.url, { prompt: 'a red boat on the sea at sunset' });
        firstImage.push((performance.now() - spawnedAt) / 1000);
        await fresh.close();
        const again = await startServer(folder, { program });
        await again.close();
        first.push(fresh.startedInMs / 1000);
        second.push(again.startedInMs / 1000);
      });
    }
    return [
      medianOf('first start, empty data folder → listening', 's', first),
      medianOf('first start → first finished image (256 px, 20 steps)', 's', firstImage),
      medianOf('second start → listening', 's', second, 5),
    ];
  },
};
