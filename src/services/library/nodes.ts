import { BadInput } from '../../errors.ts';
import type { Viewer } from '../access/viewer.ts';
import { type NodeType, parseGlobalId } from '../relay/global-id.ts';
import { nodesLimit } from './limits.ts';

/** Finds the object of one type by its row id (a model by its name). Null where the viewer may not see it. */
type Load = (viewer: Viewer, id: string) => Promise<object | null>;

/** A row, with the name of its GraphQL type. */
export type NodeView = { readonly __typename: NodeType };

export type Nodes = {
  /** Null where it does not exist or is not the viewer's: the two look the same. */
  node(viewer: Viewer, globalId: string): Promise<NodeView | null>;
  /** In the order asked for. @throws BadInput above the most that are given at once */
  nodes(viewer: Viewer, globalIds: readonly string[]): Promise<(NodeView | null)[]>;
};

/** `loads`: for each type, what is asked for in one turn of the event loop is one query. */
export function createNodes(loads: Readonly<Record<NodeType, Load>>): Nodes {
  const node: Nodes['node'] = async (viewer, globalId) => {
    const parsed = parseGlobalId(globalId);
    if (parsed === null) return null;
    const found = await loads[parsed.type](viewer, parsed.id);
    return found && { ...found, __typename: parsed.type };
  };
  return {
    node,
    async nodes(viewer, globalIds) {
      const { max } = nodesLimit;
      if (globalIds.length > max) {
        throw new BadInput({
          path: ['ids'],
          expected: `at most ${max} ids`,
          got: globalIds.length,
          max,
        });
      }
      return Promise.all(globalIds.map((id) => node(viewer, id)));
    },
  };
}
