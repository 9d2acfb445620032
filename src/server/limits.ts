import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { DomainError } from '../errors.ts';

/** Limits of one operation and of the connection that it arrives on. */
export const requestLimits = {
  /** Bytes of a body, or of a WebSocket message: a prompt of 8,000 characters is at most 32 kB. */
  bodyBytes: 512 * 1024,
  /** Tokens of a document; GraphiQL's introspection query has about 400. */
  tokens: 5_000,
  /** Braces, brackets and parentheses inside each other. */
  nesting: 100,
  /** Fields inside fields; GraphiQL's introspection goes down 15. */
  depth: 20,
  /** Fields with an alias. */
  aliases: 60,
  /** Fields; those inside a list count once per item that is asked for. */
  cost: 100_000,
  /** Operations of one WebSocket at once. */
  operationsPerSocket: 100,
  /** WebSockets at once. */
  sockets: 5_000,
} as const;

/** Limits of one connection, HTTP or WebSocket. */
export const connectionLimits = {
  /** Bytes that wait for a client, above which nothing more is computed for it. */
  unreadBytes: 1_000_000,
  /** Bytes that wait for a client, above which its pings are not answered. */
  unreadBytesForPongs: 64_000,
  /** Time without a byte taken, though bytes wait, after which a connection is ended, in milliseconds. */
  stalledMs: 30_000,
  /** HTTP requests that wait behind the one that is answered. */
  pipelinedRequests: 100,
  /** Operations of one WebSocket that are executed at once; a subscription counts until it stands. */
  operationsAtOnce: 8,
  /** Messages of one WebSocket that wait; while they do, it is not read. */
  waitingMessages: 64,
} as const;

export class QueryTooComplex extends DomainError {
  constructor(what: string, got: number, max: number) {
    super('QUERY_TOO_COMPLEX', `Expected at most ${max} ${what} in an operation, but got ${got}`, {
      max,
      got,
    });
  }
}

type Weight = { readonly depth: number; readonly aliases: number; readonly cost: number };

/**
 * Every fragment is weighed once, however often it is spread: the check itself cannot be made slow.
 * @throws QueryTooComplex
 */
export function checkComplexity(
  document: DocumentNode,
  { operationName, variables }: { operationName?: string | null; variables: Variables },
): void {
  const operation = getOperationAST(document, operationName);
  if (!operation) return; // Execution refuses it with a message of its own.
  const values = { ...defaultsOf(operation), ...variables };
  const weight = weigh(operation, fragmentsOf(document), values);
  const { depth, aliases, cost } = requestLimits;
  if (weight.depth > depth) throw new QueryTooComplex('levels', weight.depth, depth);
  if (weight.aliases > aliases) throw new QueryTooComplex('aliases', weight.aliases, aliases);
  if (weight.cost > cost) throw new QueryTooComplex('fields', weight.cost, cost);
}

type Variables = Readonly<Record<string, unknown>>;

function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Variables {
  const given = variableDefinitions.flatMap(({ variable, defaultValue }) =>
    defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
  );
  return Object.fromEntries(given);
}

function weigh(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  variables: Variables,
): Weight {
  const weighed = new Map<string, Weight>();

  const ofFragment = (name: string): Weight => {
    const known = weighed.get(name);
    if (known) return known;
    // Ends the recursion where fragments form a circle; validation refuses those with a clearer message.
    weighed.set(name, nothing);
    const weight = ofSet(fragments.get(name)?.selectionSet);
    weighed.set(name, weight);
    return weight;
  };

  const ofSet = (set: SelectionSetNode | undefined): Weight =>
    (set?.selections ?? []).map(ofSelection).reduce(plus, nothing);

  const ofSelection = (node: SelectionNode): Weight => {
    switch (node.kind) {
      case Kind.INLINE_FRAGMENT:
        return ofSet(node.selectionSet);
      case Kind.FRAGMENT_SPREAD:
        return ofFragment(node.name.value);
      case Kind.FIELD: {
        const inside = ofSet(node.selectionSet);
        return {
          depth: inside.depth + 1,
          aliases: inside.aliases + (node.alias ? 1 : 0),
          cost: 1 + inside.cost * lengthOf(node, variables),
        };
      }
    }
  };

  return ofSet(operation.selectionSet);
}

const nothing: Weight = { depth: 0, aliases: 0, cost: 0 };

function plus(a: Weight, b: Weight): Weight {
  return {
    depth: Math.max(a.depth, b.depth),
    aliases: a.aliases + b.aliases,
    cost: a.cost + b.cost,
  };
}

const connections: ReadonlySet<string> = new Set(['projects', 'generations', 'assets']);

/** The most items that a field may return. Lists without a length argument are short and count once. */
function lengthOf(field: FieldNode, variables: Variables): number {
  const argument = (name: string) => {
    const node = field.arguments?.find((given) => given.name.value === name)?.value;
    if (node?.kind === Kind.VARIABLE) return variables[node.name.value];
    if (node?.kind === Kind.INT) return Number(node.value);
    return node?.kind === Kind.LIST ? node.values : undefined;
  };
  const ids = argument('ids');
  if (Array.isArray(ids)) return Math.max(1, ids.length);
  const asked = argument('last') ?? argument('first');
  if (typeof asked === 'number') return Math.min(200, Math.max(1, asked));
  return connections.has(field.name.value) ? 50 : 1;
}

function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(fragments.map((node) => [node.name.value, node]));
}
