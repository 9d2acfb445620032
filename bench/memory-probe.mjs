// Loaded into the measured server before the program: answers with what is alive after a collection.
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('message', () => {
    globalThis.gc();
    globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    process.send(heapUsed + external);
  });
  // The channel to the benchmark is not a reason to stay alive.
  process.channel.unref();
}
