/**
 * The engine's thread, whose start a test controls over the channel `engine`: it asks, and starts on `yes` or
 * fails on `no`. Once it runs, `crash` ends it by an uncaught error.
 */
const channel = new BroadcastChannel('engine');
const nextMessage = () =>
  new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
  });

const answer = nextMessage();
channel.postMessage('start?');
if ((await answer) === 'no') throw new Error('made not to start');
nextMessage().then(() => {
  throw new Error('made to crash');
});
channel.unref();
await import('../../dist/inference/engine/worker.js');
