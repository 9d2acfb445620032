/**
 * The engine's thread, made to die of an uncaught error in the middle of every picture with a deadly seed
 * (`DEADLY_SEED`): the others of its life die with it.
 */
import { parentPort } from 'node:worker_threads';

let isDoomed = false;
parentPort.on('message', ({ type, request }) => {
  if (type === 'generate' && request.seed === Number(process.env.DEADLY_SEED)) isDoomed = true;
});
const post = parentPort.postMessage.bind(parentPort);
parentPort.postMessage = (report, transfer) => {
  post(report, transfer);
  if (!isDoomed || report.event?.type !== 'step') return;
  setImmediate(() => {
    throw new Error('made to die');
  });
};

await import('../../dist/inference/engine/worker.js');
