import 'reflect-metadata';
import { Field, InputType, registerEnumType } from 'type-graphql';
import { describe, enumOf } from './enumeration.ts';

export const Direction = enumOf(['ASC', 'DESC']);
export type Direction = keyof typeof Direction;
registerEnumType(Direction, {
  name: 'Direction',
  description: 'Direction of an order.',
  valuesConfig: describe({
    ASC: 'Ascending: smallest or oldest first.',
    DESC: 'Descending: largest or newest first.',
  }),
});

const byDirection = {
  description: 'Whether the smallest or the largest comes first.',
  defaultValue: Direction.DESC,
};

/** Names in GraphQL; values as the rows call them. */
export const ProjectOrderField = {
  UPDATED_AT: 'updatedAt',
  CREATED_AT: 'createdAt',
  NAME: 'name',
} as const;
registerEnumType(ProjectOrderField, {
  name: 'ProjectOrderField',
  description: 'Field that projects are ordered by.',
  valuesConfig: describe({
    UPDATED_AT: 'Time of the last change.',
    CREATED_AT: 'Time of creation.',
    NAME: 'Name.',
  }),
});

const relevanceText =
  'How well it matches the search, which must be given; of the newest 1,000 matches.';

export const GenerationOrderField = { CREATED_AT: 'createdAt', RELEVANCE: 'relevance' } as const;
registerEnumType(GenerationOrderField, {
  name: 'GenerationOrderField',
  description: 'Field that generations are ordered by.',
  valuesConfig: describe({
    CREATED_AT: 'Time at which it was requested.',
    RELEVANCE: relevanceText,
  }),
});

export const AssetOrderField = { CREATED_AT: 'createdAt', RELEVANCE: 'relevance' } as const;
registerEnumType(AssetOrderField, {
  name: 'AssetOrderField',
  description: 'Field that assets are ordered by.',
  valuesConfig: describe({ CREATED_AT: 'Time of creation.', RELEVANCE: relevanceText }),
});

@InputType({ description: 'Order of a list of projects.' })
export class ProjectOrder {
  @Field(() => ProjectOrderField, { description: 'Field to order by.', defaultValue: 'updatedAt' })
  field!: 'updatedAt' | 'createdAt' | 'name';

  @Field(() => Direction, byDirection)
  direction!: Direction;
}

@InputType({ description: 'Order of a list of generations.' })
export class GenerationOrder {
  @Field(() => GenerationOrderField, {
    description: 'Field to order by.',
    defaultValue: 'createdAt',
  })
  field!: 'createdAt' | 'relevance';

  @Field(() => Direction, byDirection)
  direction!: Direction;
}

@InputType({ description: 'Order of a list of assets.' })
export class AssetOrder {
  @Field(() => AssetOrderField, { description: 'Field to order by.', defaultValue: 'createdAt' })
  field!: 'createdAt' | 'relevance';

  @Field(() => Direction, byDirection)
  direction!: Direction;
}
