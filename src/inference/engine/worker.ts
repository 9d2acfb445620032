/** The engine's thread: takes commands, runs the pipeline, reports. */
import { parentPort, workerData } from 'node:worker_threads';
import { withoutFolder } from '../models/listing.ts';
import { runtimeVersion } from '../onnx/session.ts';
import { createDenoiser } from '../pipelines/denoiser.ts';
import { createEmbeddings } from '../pipelines/embeddings.ts';
import type { ImageJob } from '../pipelines/image.ts';
import { imageToImage } from '../pipelines/image-to-image.ts';
import { inpaint } from '../pipelines/inpaint.ts';
import type { JobEvent } from '../pipelines/job-event.ts';
import { createLoadedModels } from '../pipelines/loaded-models.ts';
import { createModelLoader, type ModelRef } from '../pipelines/model-loader.ts';
import { createSourceEncodings } from '../pipelines/source-encodings.ts';
import { textToImage } from '../pipelines/text-to-image.ts';
import { Canceled, createTurns, type Job } from '../pipelines/turns.ts';
import { chooseProvider, ProviderUnavailable } from '../providers.ts';
import type { ImageRequest } from '../request.ts';
import { type Command, faultOf, type Report, type ThreadOptions } from './protocol.ts';

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
  const loader = createModelLoader({ threads, choice });
  const models = createLoadedModels({ max: maxModels, turns, loader });
  const running = new Set<Promise<void>>();
  const denoiser = createDenoiser(turns);
  const [embeddings, sources] = [createEmbeddings(), createSourceEncodings()];
  const context = { models, turns, denoiser, embeddings, sources };

  function eventsOf(request: ImageRequest, image: ImageJob): AsyncGenerator<JobEvent, void, void> {
    const { source } = request;
    if (!source) return textToImage(request, image, context);
    const { mask } = source;
    return mask
      ? inpaint(request, { ...source, mask }, image, context)
      : imageToImage(request, source, image, context);
  }

  async function generate(command: Extract<Command, { type: 'generate' }>): Promise<void> {
    const { job: order, request, model: ref, demand } = command;
    const job: Job = {
      share: request.share,
      order,
      isCanceled: () => Atomics.load(command.canceled, 0) !== 0,
    };
    const image = { job, ref, demand: demand === null ? null : { cell: demand } };
    try {
      const events = eventsOf(request, image);
      for await (const event of events) {
        if (job.isCanceled()) break;
        const pixels =
          event.type === 'image' ? event.rgb : event.type === 'step' && event.frame?.rgb;
        report({ type: 'event', job: order, event }, pixels ? [pixels.buffer as ArrayBuffer] : []);
      }
      report({ type: 'ended', job: order, fault: null });
    } catch (error) {
      const isCanceled = error instanceof Canceled || job.isCanceled();
      const fault = isCanceled ? null : faultOf(error);
      report({
        type: 'ended',
        job: order,
        fault: fault && { ...fault, message: await withoutFolder(fault.message, ref.found) },
      });
    }
  }

  /** A fault is met again, and reported, by the first job that needs the model. */
  async function preload(ref: ModelRef): Promise<void> {
    const job: Job = { share: '', order: 0, isCanceled: () => false };
    const lease = await models.acquire(ref, job).catch(() => null);
    await lease?.release();
  }

  function track(work: Promise<void>): void {
    const tracked = work.finally(() => running.delete(tracked));
    running.add(tracked);
  }

  /** With its port closed and its models unloaded, the thread ends by itself. */
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
        track(preload(command.model));
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
  report({
    type: 'ready',
    provider: choice.provider,
    runtime: runtimeVersion(),
    precision: choice.plans.transformer.precision,
  });
}
