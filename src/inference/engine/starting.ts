import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StartError } from '../../errors.ts';
import type { Catalog } from './catalog.ts';
import type { Thread } from './thread.ts';

/** For a thread that has nothing to do. */
const endMs = 12_000;

/** Both threads, once both have started. @throws where one could not; the other one is ended */
export async function bothOrNone(
  catalog: Promise<Catalog>,
  thread: Promise<Thread>,
): Promise<[Catalog, Thread]> {
  const [first, second] = await Promise.allSettled([catalog, thread]);
  if (first.status === 'fulfilled' && second.status === 'fulfilled') {
    return [first.value, second.value];
  }
  if (first.status === 'fulfilled') await first.value.close();
  if (second.status === 'fulfilled') {
    second.value.stopRestarting();
    await second.value.end(endMs);
  }
  throw first.status === 'rejected' ? first.reason : (second as PromiseRejectedResult).reason;
}

/** A thread cannot start from TypeScript: the compiled file, beside this module once that is compiled too. */
export function compiled(name: 'worker' | 'catalog-worker'): URL {
  const isCompiled = import.meta.url.endsWith('.js');
  const url = new URL(
    isCompiled ? `./${name}.js` : `../../../dist/inference/engine/${name}.js`,
    import.meta.url,
  );
  if (!existsSync(fileURLToPath(url))) {
    throw new StartError(
      `Expected the engine's compiled thread at ${fileURLToPath(url)}, but it is not there: make it with "node scripts/boot.cjs build"`,
    );
  }
  return url;
}
