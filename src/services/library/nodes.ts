import { DomainError } from '../../errors.ts';
import type {
  Asset,
  Generation,
  PrismaClient,
  Project,
  User,
} from '../../generated/prisma/client.ts';
import type { Viewer } from '../access/viewer.ts';
import { type NodeType, parseGlobalId } from '../relay/global-id.ts';
import type { Assets } from './assets.ts';
import type { Projects } from './projects.ts';

/** A row, with the name of its GraphQL type. */
export type NodeView<Model> =
  | ({ readonly __typename: 'Project' } & Project)
  | ({ readonly __typename: 'Generation' } & Generation)
  | ({ readonly __typename: 'Asset' } & Asset)
  | ({ readonly __typename: 'User' } & User)
  | ({ readonly __typename: 'Model' } & Model);

export type Nodes<Model> = {
  /** Null where it does not exist or is not the viewer's: the two look the same. */
  node(viewer: Viewer, globalId: string): Promise<NodeView<Model> | null>;
  /** At most 200, in the order asked for. @throws TooManyIds */
  nodes(viewer: Viewer, globalIds: readonly string[]): Promise<(NodeView<Model> | null)[]>;
};

export const maxNodes = 200;

export class TooManyIds extends DomainError {
  constructor(got: number) {
    super('BAD_USER_INPUT', `Expected at most ${maxNodes} ids, but got ${got}`, {
      path: ['ids'],
      max: maxNodes,
      got,
    });
  }
}

/** One query per type that is asked for. `models` finds one by name, or null. */
export function createNodes<Model extends object>(options: {
  client: PrismaClient;
  projects: Pick<Projects, 'byRowIds'>;
  assets: Pick<Assets, 'byRowIds'>;
  generations: { byRowIds(viewer: Viewer, ids: readonly string[]): Promise<(Generation | null)[]> };
  model: (name: string) => Model | null;
}): Nodes<Model> {
  const { client, projects, assets, generations, model } = options;

  /** By type: rows in the order of the ids. */
  const loaders = {
    Project: async (viewer, ids) => named('Project', await projects.byRowIds(viewer, ids)),
    Generation: async (viewer, ids) => named('Generation', await generations.byRowIds(viewer, ids)),
    Asset: async (viewer, ids) => named('Asset', await assets.byRowIds(viewer, ids)),
    User: async (viewer, ids) => named('User', await visibleUsers(client, viewer, ids)),
    Model: async (_, names) => named('Model', names.map(model)),
  } satisfies Record<NodeType, Loader<Model>>;

  const nodes: Nodes<Model>['nodes'] = async (viewer, globalIds) => {
    if (globalIds.length > maxNodes) throw new TooManyIds(globalIds.length);
    const parsed = globalIds.map(parseGlobalId);
    const found = new Map<string, NodeView<Model>>();
    await Promise.all(
      Object.entries(idsByType(parsed)).map(async ([type, ids]) => {
        const rows = await loaders[type as NodeType](viewer, ids);
        rows.forEach((row, i) => {
          if (row !== null) found.set(`${type}:${ids[i]}`, row);
        });
      }),
    );
    return parsed.map((id) => (id && found.get(`${id.type}:${id.id}`)) ?? null);
  };
  return { nodes, node: async (viewer, globalId) => (await nodes(viewer, [globalId]))[0] ?? null };
}

type Loader<Model> = (
  viewer: Viewer,
  ids: readonly string[],
) => Promise<(NodeView<Model> | null)[]>;

function named<Name extends NodeType, Row extends object>(name: Name, rows: (Row | null)[]) {
  return rows.map((row) => row && { ...row, __typename: name });
}

function idsByType(ids: readonly ({ type: NodeType; id: string } | null)[]) {
  const byType: Partial<Record<NodeType, string[]>> = {};
  for (const id of ids) {
    if (id === null) continue;
    const list = byType[id.type] ?? [];
    if (!list.includes(id.id)) list.push(id.id);
    byType[id.type] = list;
  }
  return byType;
}

/** Everybody sees themselves; administrators see all. */
async function visibleUsers(
  client: PrismaClient,
  viewer: Viewer,
  ids: readonly string[],
): Promise<(User | null)[]> {
  const visible = viewer.role === 'ADMIN' ? [...ids] : ids.filter((id) => id === viewer.id);
  const rows = await client.user.findMany({ where: { id: { in: visible } } });
  return ids.map((id) => rows.find((row) => row.id === id) ?? null);
}
