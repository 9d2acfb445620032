// Loaded into the measured server before the program: answers with what is alive after a collection, and with
// what keeps the loop alive (sockets, timers, workers).
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('message', () => {
    globalThis.gc();
    globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    const handles = process.getActiveResourcesInfo().length;
    process.send({ liveBytes: heapUsed + external, handles });
  });
  // The channel to the benchmark is not a reason to stay alive.
  process.channel.unref();
}
