import { type DocumentNode, type GraphQLSchema, getOperationAST } from 'graphql';
import type { Context } from '../resolvers/context.ts';
import { scopesNeeded } from '../resolvers/scopes.ts';
import { scopes } from '../services/access/limits.ts';
import { requireScopes } from '../services/access/scopes.ts';
import type { Viewer } from '../services/access/viewer.ts';
import type { Admission, Release } from './admission.ts';
import { type Cost, checkCost, costOf } from './cost.ts';
import { checkLists } from './list-items.ts';
import type { RateLimits } from './rate-limits.ts';

export type OperationToCheck = {
  readonly document: DocumentNode;
  readonly operationName: string | null | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly context: Context;
  /** The connection that it came by. */
  readonly connection: object;
};

/** `cost` is null where there is no such operation; execution refuses it with a message of its own. */
export type CheckedOperation = { readonly cost: Cost | null; readonly release: Release };

export type CheckOperation = (operation: OperationToCheck) => Promise<CheckedOperation>;

/**
 * Before anything is executed: whether the credential may do all of it, what it costs, and whether it may run now.
 * @throws DomainError FORBIDDEN, BAD_USER_INPUT, QUERY_TOO_COMPLEX, RATE_LIMITED
 */
export function createOperationCheck(deps: {
  schema: GraphQLSchema;
  admission: Admission;
  rateLimits: RateLimits;
}): CheckOperation {
  const { schema, admission, rateLimits } = deps;
  return async ({ document, operationName, variables, context, connection }) => {
    const { viewer, signal } = context;
    await rateLimits.operation(viewer);
    if (viewer.scopes.size < scopes.length) {
      requireScopes(viewer.scopes, scopesNeeded(schema, document, operationName));
    }
    checkLists(document, variables);
    const cost = costOf(schema, document, { operationName, variables });
    if (cost === null) return { cost, release: () => {} };
    checkCost(cost);
    const key = turnOf(viewer, connection);
    const isSubscription = getOperationAST(document, operationName)?.operation === 'subscription';
    const release = await admission.enter(cost, { key, signal, isSubscription });
    context.atRest.begin = release;
    return { cost, release };
  };
}

/** Whether a request wants `extensions.cost` in its answer: it has `cost: true` in its own extensions. */
export function asksForCost({ extensions }: { readonly extensions?: unknown }): boolean {
  return (Object(extensions) as { readonly cost?: unknown }).cost === true;
}

/** Users take turns, however many connections each has. Without authentication everybody is the same user. */
function turnOf({ id, credential }: Viewer, connection: object): object | string {
  return credential.kind === 'none' ? connection : id;
}
