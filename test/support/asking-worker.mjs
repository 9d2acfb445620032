/**
 * The engine's thread, which asks before it starts, on the channel `engine`, and waits for the answer: `yes`, or
 * `no` to fail. Once it runs, `die` makes it die of an uncaught error.
 */
const channel = new BroadcastChannel('engine');
const heard = () =>
  new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
  });

const answer = heard();
channel.postMessage('May I start?');
if ((await answer) === 'no') throw new Error('made not to start');
heard().then(() => {
  throw new Error('made to die');
});
channel.unref();
await import('../../dist/inference/engine/worker.js');
