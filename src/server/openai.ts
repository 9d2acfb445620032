import { once } from 'node:events';
import { Readable } from 'node:stream';
import { type ErrorRequestHandler, type Request, type Response, Router } from 'express';
import { DomainError } from '../errors.ts';
import type { Asset, Generation } from '../generated/prisma/client.ts';
import type { Context } from '../resolvers/context.ts';
import type { Scope } from '../services/access/limits.ts';
import { requireScopes } from '../services/access/scopes.ts';
import { keyIdOf } from '../services/access/viewer.ts';
import { toGlobalId } from '../services/relay/global-id.ts';
import type { EventView } from '../services/subscriptions/views.ts';
import { mapError, statusOf } from './error-mapping.ts';
import { boundedJson, type GraphqlDeps } from './graphql.ts';
import { HttpError } from './http-error.ts';
import { accessLimits } from './limits.ts';
import { createOpenPerUser } from './open-per-user.ts';
import { type ImageOrder, readForm, readOrder } from './openai-body.ts';
import type { RateLimits } from './rate-limits.ts';
import { newRequestId, requestScope } from './request-scope.ts';

export type OpenAiDeps = GraphqlDeps & {
  readonly rateLimits: RateLimits;
  readonly readOriginal: (asset: Asset) => Promise<Buffer>;
};

/**
 * The part of OpenAI's API that makes images, for programs that know no other (https://platform.openai.com/docs/api-reference/images):
 * a thin door to the same services. A client that goes away cancels what it has asked for.
 */
export function openAiRoutes(deps: OpenAiDeps): Router {
  const openPerUser = createOpenPerUser(accessLimits.imageRequestsOfUser, 'image requests');
  const router = Router();

  const begin = async (request: Request, response: Response, scopes: readonly Scope[]) => {
    const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
    const controller = new AbortController();
    response.once('close', () => controller.abort());
    const { host = '', authorization } = request.headers;
    const asked = { requestId, host, authorization, address: deps.addressOf(request) };
    const made = await deps.context({ ...asked, signal: controller.signal });
    response.once(
      'close',
      deps.sessions.follow(made.viewer, (reason) => controller.abort(reason)),
    );
    await deps.rateLimits.operation(made.viewer);
    requireScopes(made.viewer.scopes, new Set(scopes));
    return made;
  };
  const answer = async (
    context: Context,
    order: ImageOrder,
    response: Response,
    image: { assetId: string; strength: number } | null,
  ) => {
    const { services, viewer, signal } = context;
    const { prompt, model, count, size, seed, negativePrompt } = order;
    const settings = { prompt, model, count, seed, negativePrompt, ...size, image };
    const { generation } = await services.generations.request(viewer, { settings }, signal);
    const id = toGlobalId('Generation', generation.id);
    try {
      const events = await services.subscriptions.watchGeneration(
        viewer,
        id,
        watching(order),
        signal,
      );
      if (order.stream) await stream(events, { context, order, response, deps });
      else await collect(events, { context, order, response, deps, generation });
    } finally {
      // Nobody else knows of it.
      if (signal.aborted) await services.generations.cancel(viewer, id);
    }
    if (signal.reason instanceof DomainError) throw signal.reason;
  };

  /** Nothing of the file is kept in memory behind it. */
  const storeForm = async (request: Request, { services, viewer, signal }: Context) => {
    const { fields, image } = await readForm(request, { maxBytes: deps.maxUploadBytes });
    const order = readOrder(fields);
    const file = Promise.resolve({ createReadStream: () => Readable.from([image]) });
    return { order, ...(await services.assets.upload(viewer, { file }, signal)) };
  };

  router.get('/models', async (request, response) => {
    const { services } = await begin(request, response, ['READ']);
    const models = (await services.models.list()).filter(({ available }) => available);
    const data = models.map(({ name }) => ({
      id: name,
      object: 'model',
      created: 0,
      owned_by: 'easel',
    }));
    response.json({ object: 'list', data });
  });
  router.post('/images/generations', ...boundedJson(deps.incoming), async (request, response) => {
    const context = await begin(request, response, ['GENERATE', 'READ']);
    const order = readOrder(request.body);
    openPerUser.enter(context.viewer.id, response);
    await answer(context, order, response, null);
  });
  router.post('/images/edits', async (request, response) => {
    const context = await begin(request, response, ['GENERATE', 'READ', 'WRITE']);
    openPerUser.enter(context.viewer.id, response);
    const leave = deps.uploadRoom.enter(request);
    const { order, asset } = await storeForm(request, context).finally(leave);
    const source = { assetId: toGlobalId('Asset', asset.id), strength: order.strength };
    await answer(context, order, response, source);
  });
  router.use((request) => {
    const known = 'POST /v1/images/generations, POST /v1/images/edits or GET /v1/models';
    throw new DomainError(
      'NOT_FOUND',
      `Expected ${known}, but got ${request.method} ${request.path.slice(0, 100)}`,
    );
  });
  router.use(answerAsOpenAi(deps));
  return router;
}

type Answering = {
  readonly context: Context;
  readonly order: ImageOrder;
  readonly response: Response;
  readonly deps: OpenAiDeps;
};

/** Frames are made only for those who want them. */
function watching({ stream: isStream, partialImages }: ImageOrder) {
  const frames = { format: 'WEBP', maxSize: null, everyMs: 250 } as const;
  const isWatched = isStream && partialImages > 0;
  return { after: null, asked: frames, previews: isWatched ? frames : null, positions: false };
}

/** All images in one answer. */
async function collect(
  events: AsyncIterable<EventView>,
  { context, order, response, deps, generation }: Answering & { generation: Generation },
): Promise<void> {
  for await (const event of events) throwFailure(event);
  if (context.signal.aborted) return;
  const assets = await context.services.assets.ofGeneration(context.viewer, generation.id);
  const data = [];
  for (const asset of assets) data.push(await imageOf(asset, { context, order, response, deps }));
  response.json({ created: seconds(generation.createdAt), data });
}

/** Server-Sent Events: some partial images, then each image as it is stored. */
async function stream(events: AsyncIterable<EventView>, answering: Answering): Promise<void> {
  const { context, order, response, deps } = answering;
  const send = async (type: string, body: object) => {
    const isTaken = response.write(
      `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`,
    );
    if (!isTaken) await once(response, 'drain', { signal: context.signal }).catch(() => {});
  };
  response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  let partial = 0;
  for await (const event of events) {
    const common = {
      created_at: seconds(event.at),
      output_format: 'webp',
      size: order.size ? `${order.size.width}x${order.size.height}` : 'auto',
    };
    if (event.type === 'GenerationProgress') {
      for (const { dataUrl } of event.previews) {
        if (partial >= order.partialImages) break;
        const image = { b64_json: dataUrl.slice(dataUrl.indexOf(',') + 1) };
        await send('image_generation.partial_image', {
          ...common,
          ...image,
          partial_image_index: partial++,
        });
      }
    }
    if (event.type === 'GenerationImageReady') {
      const asset = await context.services.assets.load(context.viewer, event.assetId);
      const image = asset && (await deps.readOriginal(asset)).toString('base64');
      if (asset)
        await send('image_generation.completed', {
          ...common,
          b64_json: image,
          output_format: 'png',
          size: `${asset.width}x${asset.height}`,
        });
    }
    const failure = failureOf(event);
    if (failure)
      await send('error', {
        error: { message: failure.message, type: 'server_error', code: failure.code, param: null },
      });
  }
  response.end();
}

async function imageOf(asset: Asset, { context, order, deps }: Answering) {
  if (order.format === 'b64_json') {
    return { b64_json: (await deps.readOriginal(asset)).toString('base64') };
  }
  const plain = { fit: 'CONTAIN', download: false, stripMetadata: false } as const;
  const { services, viewer, origin } = context;
  return { url: origin + services.links.sign(asset.id, plain, keyIdOf(viewer)) };
}

function failureOf(event: EventView): DomainError | null {
  if (event.type === 'GenerationFailed') {
    return new DomainError(event.failure.code, event.failure.message);
  }
  if (event.type !== 'GenerationCanceled') return null;
  return new DomainError('UNAVAILABLE', 'Expected the generation to end, but it was cancelled');
}

function throwFailure(event: EventView): void {
  const failure = failureOf(event);
  if (failure !== null) throw failure;
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** In the form that OpenAI's clients read. */
function answerAsOpenAi({ log }: OpenAiDeps): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    const { requestId } = requestScope.getStore() ?? { requestId: newRequestId() };
    const isBody = typeof Object(error).status === 'number' && !(error instanceof DomainError);
    const fault = isBody
      ? new HttpError(
          error.status,
          'BAD_REQUEST',
          `Expected a body of JSON, but got: ${error.message}`,
        )
      : error;
    const { message, extensions } = mapError(fault, { requestId, log });
    const status = fault instanceof HttpError ? fault.status : statusOf(extensions.code);
    const { path, retryAfter } = extensions as { path?: unknown[]; retryAfter?: number };
    if (retryAfter !== undefined) response.set('Retry-After', String(retryAfter));
    const type = status >= 500 ? 'server_error' : 'invalid_request_error';
    const param = path?.at(-1) ?? null;
    response.status(status).json({ error: { message, type, param, code: extensions.code } });
  };
}
