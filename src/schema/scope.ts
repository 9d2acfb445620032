import 'reflect-metadata';
import { Extensions, registerEnumType } from 'type-graphql';
import { type Scope as Name, scopes } from '../services/access/limits.ts';
import { describe, enumOf } from './enumeration.ts';

export const Scope = enumOf(scopes);
export type Scope = Name;

registerEnumType(Scope, {
  name: 'Scope',
  description:
    'What a credential may do. None contains another: a program that generates and shows images needs READ and GENERATE.',
  valuesConfig: describe<Name>({
    READ: 'Read what is the own, and subscribe to its events.',
    GENERATE: 'Request generations, and cancel them.',
    WRITE: 'Create and change projects, and manage the own API keys.',
    ADMIN:
      'Read users, audit entries and the state of the installation. For users with the role ADMIN.',
  }),
});

/** Where the declared scope lies in the extensions of a type or a field of the schema. */
export const scopeExtension = 'scope';

/**
 * Declares the scope that a credential needs for a field, or for all fields of a type that declare none of their own. A
 * field without either is refused when the schema is built.
 */
export function Needs(scope: Name) {
  return Extensions({ [scopeExtension]: scope });
}
