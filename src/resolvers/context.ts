import type { Viewer } from '../services/access/viewer.ts';
import type { Generations } from '../services/generations/generations.ts';
import type { Assets } from '../services/library/assets.ts';
import type { Links } from '../services/library/links.ts';
import type { ModelList, ModelView } from '../services/library/models.ts';
import type { Nodes } from '../services/library/nodes.ts';
import type { Projects } from '../services/library/projects.ts';
import type { Loaders } from './loaders.ts';

export type Services = {
  readonly generations: Generations;
  readonly projects: Projects;
  readonly assets: Assets;
  readonly nodes: Nodes<ModelView>;
  readonly models: ModelList;
  readonly links: Links;
  /** What is fixed for as long as the program runs. */
  readonly installation: {
    readonly version: string;
    readonly maxQueued: number;
    readonly maxRunning: number;
    readonly eventRetentionSeconds: number;
  };
};

/** What every resolver gets: who asks, and what answers. */
export type Context = {
  readonly viewer: Viewer;
  readonly services: Services;
  readonly loaders: Loaders;
  /** As the client sees it in errors, and the log has it. */
  readonly requestId: string;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Scheme and host under which this client reaches the server, without a slash at the end. */
  readonly origin: string;
};
