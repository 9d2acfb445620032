import { Field, Float, Int } from 'type-graphql';
import { z } from 'zod';
import {
  bareType,
  fixedDefault,
  type SettingName,
  settings,
  standardOf,
} from '../inference/request.ts';
import { SamplerName } from './sampler.ts';
import { Seed } from './scalars.ts';

/** Settings whose GraphQL type does not follow from the kind of their values. */
const named: { readonly [Name in SettingName]?: () => object } = {
  sampler: () => SamplerName,
  seed: () => Seed,
};

/** Adds a field for a setting to a class: its type, limits, default and description are those of the record. */
export function addSettingField(
  target: object,
  name: SettingName,
  { nullable, description }: { nullable: boolean; description: string },
): void {
  Field(named[name] ?? graphqlType(name), { nullable, description })(target, name);
}

/** Description, limits and default, as an input says them. */
export function inputDescription(name: SettingName): string {
  const description = settings[name].description ?? '';
  return [description, limitText(bareType(name)), defaultText(name)].filter(Boolean).join(' ');
}

/** Description alone, as the settings of a generation say it. */
export function outputDescription(name: SettingName): string {
  return settings[name].description ?? '';
}

function graphqlType(name: SettingName): () => object {
  const type = bareType(name);
  if (type instanceof z.ZodString) return () => String;
  if (type instanceof z.ZodBoolean) return () => Boolean;
  if (type instanceof z.ZodNumber) return () => (type.isInt ? Int : Float);
  throw new Error(`Expected a GraphQL type for the setting "${name}", but there is none`);
}

function limitText(type: z.ZodType): string {
  if (type instanceof z.ZodNumber) return `From ${type.minValue} to ${type.maxValue}.`;
  if (type instanceof z.ZodString && type.maxLength !== null) {
    return `At most ${type.maxLength.toLocaleString('en')} characters.`;
  }
  return '';
}

function defaultText(name: SettingName): string {
  const standard = standardOf(name);
  if (standard !== undefined) return `Default: ${standard}.`;
  const value = fixedDefault(name);
  return value === undefined || value === '' ? '' : `Default: ${value}.`;
}
