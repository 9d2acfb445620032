/**
 * The engine's thread, with an uncaught error after so many steps in all (`CRASH_AFTER_STEPS`), the first time only
 * (the file `CRASH_ONCE` exists from then on).
 */
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const { CRASH_ONCE: once, CRASH_AFTER_STEPS: steps } = process.env;
let left = existsSync(once) ? Number.POSITIVE_INFINITY : Number(steps);
const post = parentPort.postMessage.bind(parentPort);

parentPort.postMessage = (report, transfer) => {
  post(report, transfer);
  if (report.event?.type !== 'step' || --left > 0) return;
  writeFileSync(once, '');
  setImmediate(() => {
    throw new Error('made to crash');
  });
};

await import('../../dist/inference/engine/worker.js');
