import {
  GraphQLIncludeDirective,
  type GraphQLResolveInfo,
  GraphQLSkipDirective,
  getDirectiveValues,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** Does an events subscription select a field of the event itself (not of its generation)? */
export function selects(info: GraphQLResolveInfo, fields: readonly string[]): boolean {
  const visited = new Set<string>();

  const inSet = (set: SelectionSetNode | undefined): boolean => set?.selections.some(has) ?? false;
  const has = (node: SelectionNode): boolean => {
    if (!isIncluded(node, info.variableValues)) return false;
    switch (node.kind) {
      case Kind.FIELD:
        return fields.includes(node.name.value);
      case Kind.INLINE_FRAGMENT:
        return inSet(node.selectionSet);
      case Kind.FRAGMENT_SPREAD: {
        if (visited.has(node.name.value)) return false;
        visited.add(node.name.value);
        return inSet(info.fragments[node.name.value]?.selectionSet);
      }
    }
  };
  return info.fieldNodes.some((field) => inSet(field.selectionSet));
}

function isIncluded(node: SelectionNode, variables: Record<string, unknown>): boolean {
  const skip = getDirectiveValues(GraphQLSkipDirective, node, variables);
  const include = getDirectiveValues(GraphQLIncludeDirective, node, variables);
  return skip?.['if'] !== true && include?.['if'] !== false;
}
