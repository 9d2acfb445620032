import { readFileSync } from 'node:fs';
import {
  buildSchema as buildFromText,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { printedSchema } from '../../src/commands/schema.ts';
import { errorCodes } from '../../src/errors.ts';
import { limits } from '../../src/inference/request.ts';
import { buildSchema } from '../../src/resolvers/build-schema.ts';
import { projectLimits } from '../../src/services/library/limits.ts';
import { pageSize } from '../../src/services/relay/limits.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** What the target does not have, and why. */
const access =
  'docs/decisions/0015: the audit can be read, and a user sees what is left of its limits';
const additions: Record<string, string> = {
  'ApiKey.usage': access,
  'Query.auditEntries': access,
  AuditEntryConnection: access,
  AuditEntryEdge: access,
  AuditEntry: access,
  AuditFilter: access,
  'Limits.maxImagesPerDay': access,
  'Limits.queued': access,
  'Limits.storedBytes': access,
  'Limits.imagesToday': access,
  'ErrorCode.NOT_FINITE':
    'docs/decisions/0012: it would fail again, which ENGINE_FAILED does not say',
  'ErrorCode.UNAVAILABLE': 'docs/decisions/0013: the database is away, come again',
  'GenerationSettings.promptWeighting':
    'docs/decisions/0009: a setting is one row of one record, and each of them is shown',
  'Model.vocabulary': 'docs/decisions: a small model should say which words it knows',
};

/** Also what belongs to it: the fields of a type, the arguments of a field. */
function isAddition(name: string): boolean {
  const whole = name.replace(/\(.*$/, '');
  return name in additions || whole in additions || whole.replace(/\..*$/, '') in additions;
}

describe('the schema', () => {
  it('is printed into schema.graphql', () => {
    expect(read('../../schema.graphql')).toBe(printedSchema());
  });

  it('describes every type, field, argument and value', () => {
    const silent = [...describable(buildSchema())]
      .filter(([, description]) => !description?.trim())
      .map(([name]) => name);
    expect(silent).toEqual([]);
  });

  it('agrees with the target where both have a type, field or argument', () => {
    const target = signatures(buildFromText(read('../fixtures/target.graphql')));
    const differences = [...signatures(buildSchema())]
      .filter(([name, signature]) => target.get(name) !== signature && !isAddition(name))
      .map(([name, signature]) => `${name}: ${signature}, but ${target.get(name)} in the target`);
    expect(differences).toEqual([]);
  });

  it('lists every error code', () => {
    const type = buildSchema().getType('ErrorCode');
    const names = isEnumType(type) ? type.getValues().map(({ name }) => name) : [];
    expect(names).toEqual(errorCodes);
  });

  it('states the limits that are enforced', () => {
    const printed = printedSchema();
    const { name, description } = projectLimits;
    expect(printed).toContain(`${name.min} to ${name.max} characters`);
    expect(printed).toContain(`at most ${description.max.toLocaleString('en')} characters`);
    expect(printed).toContain(`${pageSize.min} to ${pageSize.max}. Default`);
    expect(printed).toContain(
      `fewer than the maximum. From ${limits.steps.min} to ${limits.steps.max}.`,
    );
  });
});

function ownTypes(schema: GraphQLSchema): GraphQLNamedType[] {
  return Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
}

function* describable(schema: GraphQLSchema): Generator<[string, string | null | undefined]> {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  for (const type of ownTypes(schema)) {
    if (!roots.some((root) => root === type)) yield [type.name, type.description];
    if (isEnumType(type)) {
      for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value.description];
    }
    if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        yield [`${type.name}.${field.name}`, field.description];
        for (const argument of 'args' in field ? field.args : []) {
          yield [`${type.name}.${field.name}(${argument.name})`, argument.description];
        }
      }
    }
  }
}

/** Name and meaning, in one line each, of everything that a client can rely on. */
function signatures(schema: GraphQLSchema): Map<string, string> {
  const all = new Map<string, string>();
  for (const type of ownTypes(schema)) {
    const { name } = type;
    all.set(name, type.constructor.name);
    if (isEnumType(type)) {
      for (const value of type.getValues()) all.set(`${name}.${value.name}`, 'value');
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) {
        all.set(`${name}.${field.name}`, inputSignature(field, schema));
      }
    } else if (isObjectType(type) || isInterfaceType(type)) {
      for (const { name: implemented } of type.getInterfaces()) {
        all.set(`${name} implements ${implemented}`, 'yes');
      }
      for (const field of Object.values(type.getFields())) {
        all.set(`${name}.${field.name}`, String(field.type));
        for (const argument of field.args) {
          all.set(`${name}.${field.name}(${argument.name})`, inputSignature(argument, schema));
        }
      }
    }
  }
  return all;
}

function inputSignature(
  { type, defaultValue }: GraphQLArgument | GraphQLInputField,
  schema: GraphQLSchema,
): string {
  if (defaultValue === undefined) return String(type);
  const named = schema.getType(getNamedType(type).name);
  // Enums have names outside and values of their own inside.
  const shown = isEnumType(named) ? named.serialize(defaultValue) : defaultValue;
  return `${type} = ${JSON.stringify(shown)}`;
}
