import {
  type DocumentNode,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  separateOperations,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { scopeExtension } from '../schema/scope.ts';
import { type Scope, scopes } from '../services/access/limits.ts';

type Fields = GraphQLObjectType | GraphQLInterfaceType;

/** Of a field of the schema, its own or its type's. */
function scopeOf(type: Fields, field: GraphQLField<unknown, unknown>): Scope | undefined {
  const declared = field.extensions[scopeExtension] ?? type.extensions[scopeExtension];
  return scopes.find((scope) => scope === declared);
}

/**
 * Every field has a scope, and says so where it is its own.
 * @throws Error with the fields that have none
 */
export function requireDeclaredScopes(schema: GraphQLSchema): GraphQLSchema {
  const without: string[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || !(isObjectType(type) || isInterfaceType(type))) continue;
    for (const field of Object.values(type.getFields())) {
      const scope = scopeOf(type, field);
      if (scope === undefined) without.push(`${type.name}.${field.name}`);
      else if (field.extensions[scopeExtension] !== undefined) {
        field.description = `${field.description ?? ''} Scope: ${scope}.`.trim();
      }
    }
  }
  if (without.length === 0) return schema;
  throw new Error(`Expected a scope of every field (@Needs), but ${without.join(', ')} have none`);
}

/**
 * What the fields of an operation need together, in whatever fragment. Known before anything is executed: what is refused
 * has had no effect.
 */
export function scopesNeeded(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
): ReadonlySet<Scope> {
  const needed = new Set<Scope>();
  const operation = getOperationAST(document, operationName);
  // With the fragments that it uses, and no others.
  const executed = separateOperations(document)[operation?.name?.value ?? ''];
  if (executed === undefined) return needed;
  const info = new TypeInfo(schema);
  const visitor = visitWithTypeInfo(info, {
    Field() {
      const [type, field] = [info.getParentType(), info.getFieldDef()];
      if (!field || !(isObjectType(type) || isInterfaceType(type))) return;
      const scope = scopeOf(type, field);
      if (scope) needed.add(scope);
    },
  });
  visit(executed, visitor);
  return needed;
}
