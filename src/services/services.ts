import type { Events } from '../events/events.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import type { ModelDescription } from '../inference/request.ts';
import type { Storage } from '../storage/storage.ts';
import { createUsers } from './access/users.ts';
import type { Viewer } from './access/viewer.ts';
import { cancel } from './generations/cancel.ts';
import { failureOf } from './generations/failure.ts';
import { createLoad, find } from './generations/find.ts';
import { type GenerationList, page } from './generations/list.ts';
import { createQueue } from './generations/queue.ts';
import { type GenerateInput, request } from './generations/request.ts';
import { createAssets } from './library/assets.ts';
import { createLinks } from './library/links.ts';
import { createModelList } from './library/models.ts';
import { createNodes } from './library/nodes.ts';
import { createProjects } from './library/projects.ts';
import { createRenditions } from './library/renditions.ts';
import { startSubscriptions } from './subscriptions/subscriptions.ts';

export type ServicesOptions = {
  readonly client: PrismaClient;
  readonly events: Events;
  readonly storage: Storage;
  /** The models of the engines; read at each request. */
  readonly models: () => readonly ModelDescription[];
  readonly defaultModel: string;
  /** Generations of one user that may wait, and that run, at once. */
  readonly maxQueued: number;
  readonly maxRunning: number;
  /** Requests of all users that may wait for their end at once. */
  readonly maxOpenWaits: number;
  readonly eventRetentionSeconds: number;
  readonly version: string;
  /** Signs links to files; hexadecimal. */
  readonly linkSecret: string;
};

/** Everything that resolvers and routes may ask for. Ids that a client names are global ids. */
export type Services = Awaited<ReturnType<typeof startServices>>;

/** Resolves when the subscriptions listen. */
export async function startServices(options: ServicesOptions) {
  const { client, events, storage, models: described, defaultModel } = options;
  const { version, maxQueued, maxRunning, maxOpenWaits, eventRetentionSeconds } = options;
  const requesting = { client, events, models: described, defaultModel, maxQueued };
  const queue = createQueue(client);
  const subscriptions = await startSubscriptions({ client, events, queue, maxOpenWaits });
  const projects = createProjects({ client });
  const assets = createAssets({ client });
  const users = createUsers({ client });
  const models = createModelList({ models: described, defaultModel });
  const loadGeneration = createLoad(client);
  return {
    generations: {
      /** Queues; with `waitSeconds` answers when it has ended, the time is up, or `signal` aborts. */
      request(viewer: Viewer, input: GenerateInput, signal: AbortSignal) {
        const seconds = input.waitSeconds ?? 0;
        const ask = () => request(requesting, viewer, input);
        return seconds > 0 ? subscriptions.waits.until(ask, { seconds, signal }) : ask();
      },
      cancel: (viewer: Viewer, globalId: string) => cancel({ client, events }, viewer, globalId),
      find: (viewer: Viewer, globalId: string) => find(client, viewer, globalId),
      page: (viewer: Viewer, list: GenerationList) => page(client, viewer, list),
      load: loadGeneration,
      failure: failureOf,
    },
    queue,
    states: subscriptions.states,
    subscriptions,
    projects,
    assets,
    users,
    models,
    nodes: createNodes({
      Project: projects.load,
      Generation: loadGeneration,
      Asset: assets.load,
      User: users.load,
      Model: async (_viewer, name) => models.find(name),
    }),
    links: createLinks({ secret: options.linkSecret }),
    renditions: createRenditions({ client, storage }),
    /** What is fixed for as long as the program runs. */
    installation: { version, maxQueued, maxRunning, eventRetentionSeconds },
    close: () => subscriptions.close(),
  };
}
