/** The engine's thread: takes commands, runs the pipeline, reports. */
import { parentPort, workerData } from 'node:worker_threads';
import { withoutPlace } from '../checkpoints/listing.ts';
import { runtimeVersion } from '../onnx/session.ts';
import { createEmbeddings } from '../pipelines/embeddings.ts';
import { createModels } from '../pipelines/loaded-models.ts';
import { textToImage } from '../pipelines/text-to-image.ts';
import { Canceled, createTurns, type Job } from '../pipelines/turns.ts';
import { chooseProvider, ProviderUnavailable } from '../providers.ts';
import {
  type Command,
  faultOf,
  type ModelPlace,
  type Report,
  type ThreadOptions,
} from './protocol.ts';

const { provider: asked, threads, maxModels } = workerData as ThreadOptions;
const port = parentPort!;
const report = (message: Report, transfer: ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);

try {
  await serve();
} catch (error) {
  if (!(error instanceof ProviderUnavailable)) throw error;
  report({ type: 'refused', reason: error.message });
}

async function serve(): Promise<void> {
  const choice = await chooseProvider(asked, threads);
  const turns = createTurns();
  const models = createModels({ max: maxModels, turns, threads, choice });
  const running = new Set<Promise<void>>();
  const engine = { models, turns, embeddings: createEmbeddings() };

  async function generate(command: Extract<Command, { type: 'generate' }>): Promise<void> {
    const { job: order, request, model: place, demand } = command;
    const job: Job = {
      share: request.share,
      order,
      isCanceled: () => Atomics.load(command.canceled, 0) !== 0,
    };
    const context = { job, place, demand: demand === null ? null : { cell: demand } };
    try {
      for await (const event of textToImage(request, context, engine)) {
        if (job.isCanceled()) break;
        const pixels =
          event.type === 'image' ? event.rgb : event.type === 'step' && event.frame?.rgb;
        report({ type: 'event', job: order, event }, pixels ? [pixels.buffer as ArrayBuffer] : []);
      }
      report({ type: 'ended', job: order, fault: null });
    } catch (error) {
      const isLeaving = error instanceof Canceled || job.isCanceled();
      const fault = isLeaving ? null : faultOf(error);
      report({
        type: 'ended',
        job: order,
        fault: fault && { ...fault, message: await withoutPlace(fault.message, place.folder) },
      });
    }
  }

  /** What is wrong with it is met, and told, by the first job that wants it. */
  async function load(place: ModelPlace): Promise<void> {
    const nobody: Job = { share: '', order: 0, isCanceled: () => false };
    const lease = await models.acquire(place, nobody).catch(() => null);
    await lease?.release();
  }

  function track(work: Promise<void>): void {
    const tracked = work.finally(() => running.delete(tracked));
    running.add(tracked);
  }

  /** Without its port and its models the thread has nothing left to do, and ends by itself. */
  async function close(): Promise<void> {
    await Promise.all(running);
    await models.close();
    port.close();
  }

  port.on('message', (command: Command) => {
    switch (command.type) {
      case 'generate':
        track(generate(command));
        break;
      case 'load':
        track(load(command.model));
        break;
      case 'cancel':
        turns.sweep();
        models.sweep();
        break;
      case 'close':
        void close();
        break;
    }
  });
  report({ type: 'ready', provider: choice.provider, runtime: runtimeVersion() });
}
