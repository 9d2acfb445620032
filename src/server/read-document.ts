import {
  type DocumentNode,
  GraphQLError,
  getOperationAST,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { DomainError } from '../errors.ts';
import { checkDocument } from './document-limits.ts';
import type { GraphqlDeps } from './graphql.ts';
import { requestLimits } from './limits.ts';

/** An operation as a client sends it. */
export type Asked = {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Readonly<Record<string, unknown>> | null;
};

/** `errors`: what validation says, with its code. */
export type ReadDocument = (
  asked: Asked,
) => { readonly document: DocumentNode } | { readonly errors: readonly GraphQLError[] };

/**
 * What Apollo Server does with a document over HTTP, for the protocols that it does not speak: whether it is allowed, its bounds,
 * syntax and validity, and whether it has the operation. The reader @throws DomainError, and GraphQLError for its syntax.
 */
export function createDocumentReader({
  schema,
  introspection,
  allowedDocuments,
}: Pick<GraphqlDeps, 'schema' | 'introspection' | 'allowedDocuments'>): ReadDocument {
  const rules = introspection
    ? specifiedRules
    : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  return ({ query, operationName }) => {
    allowedDocuments?.check(query);
    checkDocument(query);
    const document = parse(query, { maxTokens: requestLimits.tokens });
    const errors = validate(schema, document, rules);
    if (errors.length > 0) {
      return { errors: errors.map((error) => invalid(error, introspection)) };
    }
    if (!getOperationAST(document, operationName)) throw noSuchOperation(operationName);
    return { document };
  };
}

/** Names that are nearly right are suggested only to those who may read the schema, as Apollo Server does. */
function invalid(error: GraphQLError, introspection: boolean): GraphQLError {
  const { message, nodes, source, positions, path, originalError } = error;
  // A value that a scalar refuses has a code of its own.
  const extensions = { code: 'GRAPHQL_VALIDATION_FAILED', ...error.extensions };
  const text = introspection ? message : message.replace(/ ?Did you mean .*\?$/, '');
  return new GraphQLError(text, { nodes, source, positions, path, originalError, extensions });
}

function noSuchOperation(name: string | null | undefined): DomainError {
  const got = name ? `"${name.slice(0, 100)}"` : 'no operationName';
  return new DomainError(
    'BAD_REQUEST',
    `Expected the name of one operation of the document, but got ${got}`,
  );
}

/** Whether a result of GraphQL is a stream of events. */
export function isStream(value: unknown): value is AsyncGenerator<unknown, void, void> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
