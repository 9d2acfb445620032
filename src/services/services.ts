import { outlast } from '../database/outlast.ts';
import type { Events } from '../events/events.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import type { ModelDescription } from '../inference/request.ts';
import type { Storage } from '../storage/storage.ts';
import { type Actor, createAudit } from './access/audit.ts';
import { createKeys } from './access/keys.ts';
import { type Quotas, usedOf } from './access/quotas.ts';
import { type Period, type UsageOf, usageOf } from './access/usage.ts';
import { createUsers } from './access/users.ts';
import type { Viewer } from './access/viewer.ts';
import { cancel } from './generations/cancel.ts';
import { failureOf } from './generations/failure.ts';
import { createLoad, createLoadSettings, find } from './generations/find.ts';
import { createGenerationChanges } from './generations/generation-changes.ts';
import { type GenerationList, page } from './generations/list.ts';
import { isPaused, setPaused } from './generations/pause.ts';
import { setPriority } from './generations/priority.ts';
import { createQueue } from './generations/queue.ts';
import { type GenerateInput, request } from './generations/request.ts';
import { type RetryInput, retry } from './generations/retry.ts';
import { settingsProblems } from './generations/settings.ts';
import { refuse } from './input/problems.ts';
import { createAssetChanges } from './library/asset-changes.ts';
import { createAssetCounts } from './library/asset-counts.ts';
import { createAssets } from './library/assets.ts';
import type { LinkKeys } from './library/link-keys.ts';
import { createLinks } from './library/links.ts';
import { createModelList } from './library/models.ts';
import { createNodes } from './library/nodes.ts';
import { createPresets } from './library/presets.ts';
import { createProjectChanges } from './library/project-changes.ts';
import { createProjects } from './library/projects.ts';
import { createRenditions } from './library/renditions.ts';
import { createUploads } from './library/uploads.ts';
import { startSubscriptions } from './subscriptions/subscriptions.ts';

export type ServicesOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly storage: Storage;
  /** The models of the engines, as last found. */
  readonly models: () => readonly ModelDescription[];
  /** The same, as their folders are now. */
  readonly listModels: () => Promise<readonly ModelDescription[]>;
  /** One of them, without a look at the others; null where there is none. */
  readonly findModel: (name: string) => Promise<ModelDescription | null>;
  readonly defaultModel: string;
  /** What one user may have. */
  readonly quotas: Quotas;
  /** Projects that one user may have. */
  readonly maxProjects: number;
  /** Of one uploaded file. */
  readonly uploads: { readonly maxBytes: number; readonly maxPixels: number };
  /** Generations that run at once. */
  readonly maxRunning: number;
  /** Requests of all users that may wait for their end at once. */
  readonly maxOpenWaits: number;
  /** The same of one user. */
  readonly maxOpenWaitsPerUser: number;
  readonly eventRetentionSeconds: number;
  readonly version: string;
  /** Signs links to files. */
  readonly linkKeys: LinkKeys;
  /** Longest validity of a link. */
  readonly linkHours: number;
  readonly isAccessRequired: boolean;
};

/** Everything that resolvers and routes may ask for. Ids that a client names are global ids. */
export type Services = Awaited<ReturnType<typeof startServices>>;

/** Resolves when the subscriptions listen. */
export async function startServices(options: ServicesOptions) {
  const { client, events, storage, listModels, findModel, defaultModel } = options;
  const { version, quotas, maxRunning, eventRetentionSeconds } = options;
  const { maxOpenWaits, maxOpenWaitsPerUser } = options;
  const requesting = { client, events, listModels, findModel, defaultModel, quotas };
  const queue = createQueue(client);
  const subscriptions = await startSubscriptions({
    ...{ client, events, queue, maxOpenWaits, maxOpenWaitsPerUser },
  });
  const projects = createProjects({ client, maxProjects: options.maxProjects });
  const assets = createAssets({ client });
  const users = createUsers({ client });
  const keys = createKeys({ client });
  const models = createModelList({
    models: options.models,
    refresh: listModels,
    defaultModel,
  });
  const loadGeneration = createLoad(client);
  const changing = { client, events, storage };
  const presets = createPresets({
    client,
    async check(settings) {
      const models = { models: await listModels(), defaultModel };
      refuse(settingsProblems({ prompt: '', ...settings }, models));
    },
  });
  return {
    generations: {
      /** Queues; with `waitSeconds` answers when it has ended, the time is up, or `signal` aborts. `onWait`: when it begins to wait. */
      request(viewer: Viewer, input: GenerateInput, signal: AbortSignal, onWait?: () => void) {
        const seconds = input.waitSeconds ?? 0;
        const ask = () => request(requesting, viewer, input);
        return seconds > 0
          ? subscriptions.waits.until(ask, { seconds, signal, ownerId: viewer.id, onWait })
          : ask();
      },
      cancel: (viewer: Viewer, globalId: string) => cancel({ client, events }, viewer, globalId),
      find: (viewer: Viewer, globalId: string) => find(client, viewer, globalId),
      page: (viewer: Viewer, list: GenerationList) => page(client, viewer, list),
      load: loadGeneration,
      ...createGenerationChanges(changing),
      retry: (viewer: Viewer, input: RetryInput) =>
        retry({ client, events, quotas }, viewer, input),
      setPriority: (viewer: Viewer, input: Parameters<typeof setPriority>[2]) =>
        setPriority({ client, events }, viewer, input),
      settings: createLoadSettings(client),
      failure: failureOf,
    },
    queue: {
      ...queue,
      isPaused: () => isPaused(client),
      setPaused: (actor: Actor, paused: boolean) => setPaused({ client, events }, actor, paused),
    },
    states: subscriptions.states,
    subscriptions,
    projects: { ...projects, ...createProjectChanges(changing) },
    assets: {
      ...assets,
      ...createAssetChanges(changing),
      ...createAssetCounts({ client }),
      ...createUploads({ ...changing, quotas, ...options.uploads }),
    },
    presets,
    users,
    keys,
    audit: createAudit({ client }),
    usage: (of: UsageOf, period: Period) => usageOf(client, of, period),
    /** What a user may have, and what it has. */
    limits: async (viewer: Viewer) => ({
      ...quotas,
      maxRunning,
      ...(await usedOf(client, viewer.id)),
    }),
    models,
    nodes: createNodes({
      Project: projects.load,
      Generation: loadGeneration,
      Asset: assets.load,
      User: users.load,
      Model: async (_viewer, name) => models.find(name),
      ApiKey: keys.load,
      Preset: presets.load,
    }),
    links: createLinks({ keys: options.linkKeys, hours: options.linkHours }),
    renditions: createRenditions({ client, storage }),
    /** For what nobody would ask for again: repeated while the database does not answer. */
    patiently: outlast,
    /** What is fixed for as long as the program runs. */
    installation: {
      version,
      eventRetentionSeconds,
      maxUploadBytes: options.uploads.maxBytes,
      maxUploadPixels: options.uploads.maxPixels,
      authenticationRequired: options.isAccessRequired,
    },
    close: () => subscriptions.close(),
  };
}
