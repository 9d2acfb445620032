import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { limits } from '../inference/request.ts';
import { generateLimits } from '../services/generations/limits.ts';
import { assetLimits, projectLimits } from '../services/library/limits.ts';
import { pageSize } from '../services/relay/limits.ts';
import { operationLimits, QueryTooComplex } from './limits.ts';
import { createItemWeights } from './list-items.ts';

/** The most that an operation may take, known before it is executed. */
export type Cost = {
  /** Fields inside fields. */
  readonly depth: number;
  /** Fields with an alias. */
  readonly aliases: number;
  /** Fields of the answer: those inside a list once for each item that it may have. */
  readonly fields: number;
  /** Bytes of the answer. */
  readonly bytes: number;
  /** Statements of the database. */
  readonly statements: number;
};

type Variables = Readonly<Record<string, unknown>>;

/**
 * The cost of an operation, from the schema's own types: a connection has as many items as `first` or `last` asks for, any
 * other list of objects as many as such lists have at most. Every fragment is weighed once, however often it is spread:
 * the weighing itself cannot be made slow. Null where there is no such operation; execution refuses it with a message of its own.
 */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  { operationName, variables }: { operationName?: string | null; variables: Variables },
): Cost | null {
  const operation = getOperationAST(document, operationName);
  const root = operation && schema.getRootType(operation.operation);
  if (!operation || !root) return null;
  const values = { ...defaultsOf(operation), ...variables };
  const fragments = fragmentsOf(document);
  const weighed = new Map<string, Cost>();
  const weightOfItems = createItemWeights(values);

  const ofFragment = (name: string): Cost => {
    const known = weighed.get(name);
    if (known) return known;
    // Ends the recursion where fragments form a circle; validation refuses those with a clearer message.
    weighed.set(name, nothing);
    const fragment = fragments.get(name);
    const type = fragment && schema.getType(fragment.typeCondition.name.value);
    const cost = ofSet(fragment?.selectionSet, type);
    weighed.set(name, cost);
    return cost;
  };

  const introspectionType = schema.getType('__Schema');
  const ofSet = (set: SelectionSetNode | undefined, type: GraphQLNamedType | undefined): Cost =>
    (set?.selections ?? []).map((node) => ofSelection(node, type)).reduce(plus, nothing);

  const ofSelection = (node: SelectionNode, parent: GraphQLNamedType | undefined): Cost => {
    switch (node.kind) {
      case Kind.INLINE_FRAGMENT: {
        const name = node.typeCondition?.name.value;
        return ofSet(node.selectionSet, name === undefined ? parent : schema.getType(name));
      }
      case Kind.FRAGMENT_SPREAD:
        return ofFragment(node.name.value);
      case Kind.FIELD:
        return ofField(node, parent);
    }
  };

  const ofField = (node: FieldNode, parent: GraphQLNamedType | undefined): Cost => {
    if (node.name.value === '__schema' || node.name.value === '__type') {
      const inside = ofSet(node.selectionSet, introspectionType);
      return { ...inside, depth: inside.depth + 1, bytes: introspectionSize };
    }
    const field = fieldOf(parent, node.name.value);
    const type = field && getNamedType(field.type);
    const inside = ofSet(node.selectionSet, type);
    // The items of a connection were counted with the connection.
    const isSingle = !field || !isCompositeType(type) || isConnection(parent);
    const times = isSingle ? 1 : lengthOf(field, node, values);
    const items = weightOfItems((node.arguments ?? []).map(({ value }) => value));
    const name = (node.alias ?? node.name).value.length + punctuation;
    const own = isCompositeType(type)
      ? 0
      : (sizes[`${parent?.name}.${node.name.value}`] ?? usualSize);
    return {
      depth: inside.depth + 1,
      aliases: inside.aliases + (node.alias ? 1 : 0),
      fields: 1 + items + inside.fields * times,
      bytes: name + own + inside.bytes * times,
      statements: statementsOf(parent, node, field, values) + inside.statements * times,
    };
  };

  return ofSet(operation.selectionSet, root);
}

/** @throws QueryTooComplex */
export function checkCost(cost: Cost): void {
  const units = {
    depth: 'levels',
    aliases: 'aliases',
    fields: 'fields',
    bytes: 'bytes of an answer',
    statements: 'statements of the database',
  } satisfies Record<keyof Cost, string>;
  for (const [name, unit] of Object.entries(units) as [keyof Cost, string][]) {
    const max = operationLimits[name];
    if (cost[name] > max) throw new QueryTooComplex(unit, cost[name], max);
  }
}

const nothing: Cost = { depth: 0, aliases: 0, fields: 0, bytes: 0, statements: 0 };

function plus(a: Cost, b: Cost): Cost {
  return {
    depth: Math.max(a.depth, b.depth),
    aliases: a.aliases + b.aliases,
    fields: a.fields + b.fields,
    bytes: a.bytes + b.bytes,
    statements: a.statements + b.statements,
  };
}

/** Of a question about the schema itself: the whole of it has some 100 kB, and nothing else is computed meanwhile. */
const introspectionSize = 8_000_000;

/** Bytes of a value: a number, a time, an id, a name. */
const usualSize = 60;
/** Quotes, colon, comma and braces of a field. */
const punctuation = 6;
/** A UTF-16 code unit is at most so many bytes of UTF-8. */
const bytesOfUnit = 3;
const promptSize = limits.promptCharacters.max * bytesOfUnit;

/** Bytes of the values that may be much longer. */
const sizes: Readonly<Record<string, number>> = {
  'GenerationSettings.prompt': promptSize,
  'GenerationSettings.negativePrompt': promptSize,
  'Project.description': projectLimits.description.max * bytesOfUnit,
  'Project.name': projectLimits.name.max * bytesOfUnit,
  'Generation.clientReference': generateLimits.clientReference.max * bytesOfUnit,
  'Preview.dataUrl': 40_000,
  'Asset.url': 300,
  'Model.vocabulary': 100_000,
  'Model.description': 30_000,
  'Model.title': 600,
  'Model.license': 600,
  'Model.unavailableReason': 300,
  'Failure.message': 1_000,
  'EmbeddedSettings.prompt': 10_000 * bytesOfUnit,
  'EmbeddedSettings.negativePrompt': 10_000 * bytesOfUnit,
  'EmbeddedSettings.raw': 10_000 * bytesOfUnit,
  'Asset.placeholderDataUrl': 4_000,
  'Asset.title': assetLimits.title.max * bytesOfUnit,
  'Asset.tags': (assetLimits.tag.max * bytesOfUnit + punctuation) * assetLimits.tags.max,
  'TagCount.tag': assetLimits.tag.max * bytesOfUnit,
  'FacetCount.value': assetLimits.tag.max * bytesOfUnit,
};

/** Objects of a list without a length of its own, for example the images of a generation. */
const usualLength = 8;
/** Of those that are longer. */
const lengths: Readonly<Record<string, number>> = {
  ...{ models: 50, sizes: 50, parents: 2, renditions: 20, presets: 500, tags: 100 },
  ...{ assetTimeline: 500, origins: 2, kinds: 3, assets: 50 },
};

function lengthOf(field: GraphQLField<unknown, unknown>, node: FieldNode, variables: Variables) {
  const argument = (name: string) => {
    const value = node.arguments?.find((given) => given.name.value === name)?.value;
    if (value?.kind === Kind.VARIABLE) return variables[value.name.value];
    if (value?.kind === Kind.INT) return Number(value.value);
    return value?.kind === Kind.LIST ? value.values : undefined;
  };
  if (isConnection(getNamedType(field.type))) {
    const asked = argument('last') ?? argument('first');
    const isNumber = typeof asked === 'number';
    return isNumber ? Math.min(pageSize.max, Math.max(1, asked)) : pageSize.default;
  }
  if (!isList(field.type)) return 1;
  const ids = argument('ids');
  return Array.isArray(ids) ? Math.max(1, ids.length) : (lengths[field.name] ?? usualLength);
}

/** As Relay defines it. */
function isConnection(type: GraphQLNamedType | undefined): boolean {
  if (!isObjectType(type)) return false;
  const { edges, pageInfo } = type.getFields();
  return edges !== undefined && pageInfo !== undefined;
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

/** What is computed for each object by a statement of its own; everything else is loaded for many at once. */
const ownStatement: ReadonlySet<string> = new Set([
  'Generation.queuePosition',
  'Generation.estimatedFinishAt',
  'ApiKey.usage',
  'Project.usage',
  'Viewer.apiKeys',
  'Viewer.limits',
  'Viewer.usage',
]);
/** What is counted over a whole list, each for at most half a second. */
const counts: ReadonlySet<string> = new Set(['assetFacets', 'assetTimeline', 'tags']);
/** A search reads every text of the list: it takes as long as so many others. */
const statementsOfSearch = 60;

function searches({ arguments: given }: FieldNode, variables: Variables): boolean {
  const filter = given?.find(({ name }) => name.value === 'filter')?.value;
  const { search } = Object(filter && valueFromASTUntyped(filter, variables)) as Variables;
  return typeof search === 'string' && search !== '';
}

/** A transaction with its event. */
const statementsOfMutation = 5;
/** The state as it stands, or the log since a cursor. */
const statementsOfSubscription = 40;

function statementsOf(
  parent: GraphQLNamedType | undefined,
  node: FieldNode,
  field: GraphQLField<unknown, unknown> | undefined,
  variables: Variables,
): number {
  if (parent?.name === 'Mutation') return statementsOfMutation;
  if (parent?.name === 'Subscription') return statementsOfSubscription;
  if (parent?.name === 'Query' && counts.has(node.name.value)) return statementsOfSearch;
  if (ownStatement.has(`${parent?.name}.${node.name.value}`)) return 1;
  if (!field || !isConnection(getNamedType(field.type))) return 0;
  // The page, and the count where it is asked for, in whatever fragment.
  return 2 + (searches(node, variables) ? statementsOfSearch : 0);
}

function fieldOf(parent: GraphQLNamedType | undefined, name: string) {
  if (!isObjectType(parent) && !isInterfaceType(parent)) return undefined;
  return parent.getFields()[name];
}

function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Variables {
  const given = variableDefinitions.flatMap(({ variable, defaultValue }) =>
    defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
  );
  return Object.fromEntries(given);
}

function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(fragments.map((node) => [node.name.value, node]));
}
