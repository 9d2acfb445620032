/**
 * The engine's thread, with an uncaught error in the middle of every image of the seed `CRASH_SEED`. Other images that
 * it runs at that time are lost with it.
 */
import { parentPort } from 'node:worker_threads';

let hasSeed = false;
parentPort.on('message', ({ type, request }) => {
  if (type === 'generate' && request.seed === Number(process.env.CRASH_SEED)) hasSeed = true;
});
const post = parentPort.postMessage.bind(parentPort);
parentPort.postMessage = (report, transfer) => {
  post(report, transfer);
  if (!hasSeed || report.event?.type !== 'step') return;
  setImmediate(() => {
    throw new Error('made to crash');
  });
};

await import('../../dist/inference/engine/worker.js');
