/**
 * The engine's thread, made to die of an uncaught error: after so many steps in all
 * (`DIES_AFTER_STEPS`), the first time only (the file `DIES_ONCE` then exists).
 */
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const { DIES_ONCE: once, DIES_AFTER_STEPS: steps } = process.env;
let left = existsSync(once) ? Number.POSITIVE_INFINITY : Number(steps);
const post = parentPort.postMessage.bind(parentPort);

parentPort.postMessage = (report, transfer) => {
  post(report, transfer);
  if (report.event?.type !== 'step' || --left > 0) return;
  writeFileSync(once, '');
  setImmediate(() => {
    throw new Error('made to die');
  });
};

await import('../../dist/inference/engine/worker.js');
