import { statfsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config.ts';
import { checkDatabase } from '../database/client.ts';
import type { ModelDescription } from '../inference/request.ts';
import { buildSchema } from '../resolvers/build-schema.ts';
import type { Context } from '../resolvers/context.ts';
import { hostInUrl, writeAddress } from '../server/address.ts';
import { createAdmission } from '../server/admission.ts';
import { readAllowedDocuments } from '../server/allowed-documents.ts';
import { files } from '../server/files.ts';
import type { MakeContext } from '../server/graphql.ts';
import { createHttp } from '../server/http.ts';
import { createIncomingRoom } from '../server/incoming.ts';
import { listen } from '../server/listen.ts';
import { createMetrics } from '../server/metrics.ts';
import { createOperationCheck } from '../server/operation-checks.ts';
import { createOriginCheck } from '../server/origin.ts';
import { addressOf } from '../server/rate-limits.ts';
import { openSockets } from '../server/socket.ts';
import { createUploadRoom } from '../server/uploads.ts';
import { startRetention } from '../services/maintenance/retention.ts';
import { startServices } from '../services/services.ts';
import { linkKeysOf, metricsRule, openAccessOf } from './access.ts';
import type { Adapters } from './adapters.ts';

export type Api = {
  /** Where it listens, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly framesEncoded: number;
  /** Takes no more requests; those that wait for a generation are answered as it stands. */
  refuse(): void;
};

/** What the API knows of the workers. In one process with them it is told by the worker itself. */
export type Workers = {
  /** As last found. */
  readonly models: () => readonly ModelDescription[];
  /** As their folders are now. */
  readonly listModels: () => Promise<readonly ModelDescription[]>;
  /** One of them, without a look at the others; null where there is none. */
  readonly findModel: (name: string) => Promise<ModelDescription | null>;
  readonly framesComputed: () => number;
  /** Null where an image that is asked for now would be drawn, else one sentence. */
  readonly check: () => Promise<string | null>;
  /** Generations that run at once. */
  readonly concurrency: number;
};

/** A client that has not taken its answer, or the end of its WebSocket, within this is cut off. */
const lastAnswerMs = 1_000;

/** HTTP and WebSockets over the services. @throws StartError where the port cannot be had */
export async function startApi(adapters: Adapters, workers: Workers): Promise<Api> {
  const { config, version, database, events, storage, log, closing, reached } = adapters;
  const { client } = database;
  const access = await openAccessOf(adapters);
  const services = await startServices({
    ...{ client, events, storage, version },
    linkKeys: await linkKeysOf({ config, client }),
    linkHours: config.linkHours,
    isAccessRequired: config.isAccessRequired,
    models: workers.models,
    listModels: workers.listModels,
    findModel: workers.findModel,
    defaultModel: config.defaultModel,
    quotas: config,
    maxProjects: config.maxProjects,
    uploads: { maxBytes: config.maxUploadBytes, maxPixels: config.maxUploadPixels },
    maxRunning: Math.min(workers.concurrency, config.maxRunningPerUser ?? workers.concurrency),
    maxOpenWaits: config.maxOpenWaits,
    maxOpenWaitsPerUser: config.maxOpenWaitsPerUser,
    eventRetentionSeconds: config.eventRetentionSeconds,
  });
  closing.push(() => services.close());
  const { links, renditions, queue, subscriptions } = services;

  let isStopping = false;
  const context: MakeContext = async ({ authorization, ...asked }) => {
    const viewer = await access.authenticate({ authorization, address: asked.address });
    const origin = config.publicUrl ?? `http://${asked.host}`;
    return { viewer, services, origin, atRest: { begin() {} }, ...asked } satisfies Context;
  };
  const schema = buildSchema();
  const checkOrigin = createOriginCheck(
    {
      hosts: new Set(config.allowedHosts.concat(hostsOf(config)).map((host) => host.toLowerCase())),
      origins: new Set(config.allowedOrigins.map((origin) => origin.toLowerCase())),
    },
    log,
  );
  const metrics = createMetrics({
    frames: () => ({
      framesComputed: workers.framesComputed(),
      framesEncoded: subscriptions.framesEncoded,
    }),
    generations: () => queue.count(),
    sockets: () => sockets.counts.sockets,
    operations: () => sockets.counts.operations,
  });
  const rateLimits = access.rateLimits;
  const graphql = {
    ...{ schema, checkOrigin, log, context },
    sessions: access.sessions,
    checkOperation: createOperationCheck({ schema, admission: createAdmission(), rateLimits }),
    addressOf: addressOf(config.trustedProxies),
    incoming: createIncomingRoom(),
    maxUploadBytes: config.maxUploadBytes,
    uploadRoom: createUploadRoom(),
    introspection: config.introspection,
    allowedDocuments: config.allowedDocuments
      ? readAllowedDocuments(config.allowedDocuments)
      : null,
  };
  const http = await createHttp({
    ...{ ...graphql, metrics, rateLimits },
    mayReadMetrics: metricsRule(config),
    readOriginal: ({ storageKey }) => storage.read(storageKey),
    files: files({ links, renditions, storage }),
    checks: {
      server: async () => (isStopping ? 'it stops' : null),
      database: () => checkDatabase(client),
      engine: workers.check,
      disk: async () => checkRoom(resolve(config.dataDir)),
    },
  });
  closing.push(() => http.stop());
  const sockets = openSockets(http.server, graphql);
  const { port } = await listen(http.server, config);
  closing.push(() => http.close(lastAnswerMs));
  closing.push(() => sockets.close(lastAnswerMs));
  const url = `http://${hostInUrl(config.host)}:${port}`;
  const removeAddress = writeAddress(resolve(config.dataDir), url);
  closing.push(async () => removeAddress());
  await reached('listening');

  const retention = startRetention({
    client,
    keepSeconds: config.eventRetentionSeconds,
    keepEvents: config.maxEvents,
    keepAuditDays: config.auditRetentionDays,
    ...{ storage, keepTrashDays: config.trashRetentionDays },
    onError: (error) => log.error({ err: error }, 'could not delete old events and audit entries'),
  });
  closing.push(() => retention.stop());
  return {
    url,
    get framesEncoded() {
      return subscriptions.framesEncoded;
    },
    refuse() {
      isStopping = true;
      http.refuse();
    },
  };
}

/** Names under which clients reach it: where it listens, and where it says it does. */
function hostsOf({ host, publicUrl }: Config): string[] {
  const own = hostInUrl(host);
  return publicUrl ? [own, new URL(publicUrl).hostname] : [own];
}

/** Below this an image might not find room. */
const roomWanted = 20e6;

/** Null where images can be stored, else one sentence. */
function checkRoom(folder: string): string | null {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < roomWanted ? 'its disk is full' : null;
}
