import 'reflect-metadata';
import { Field, InputType, registerEnumType } from 'type-graphql';
import { describe, enumOf } from './enumeration.ts';

export const Direction = enumOf(['ASC', 'DESC']);
export type Direction = keyof typeof Direction;
registerEnumType(Direction, {
  name: 'Direction',
  description: 'Which end of a list comes first.',
  valuesConfig: describe({
    ASC: 'Smallest, or oldest, first.',
    DESC: 'Largest, or newest, first.',
  }),
});

const byDirection = { description: 'Which end comes first.', defaultValue: Direction.DESC };

/** Names in GraphQL; values as the rows call them. */
export const ProjectOrderField = {
  UPDATED_AT: 'updatedAt',
  CREATED_AT: 'createdAt',
  NAME: 'name',
} as const;
registerEnumType(ProjectOrderField, {
  name: 'ProjectOrderField',
  description: 'What projects are ordered by.',
  valuesConfig: describe({
    UPDATED_AT: 'When it was last changed.',
    CREATED_AT: 'When it was made.',
    NAME: 'Its name.',
  }),
});

export const GenerationOrderField = { CREATED_AT: 'createdAt' } as const;
registerEnumType(GenerationOrderField, {
  name: 'GenerationOrderField',
  description: 'What generations are ordered by.',
  valuesConfig: describe({ CREATED_AT: 'When it was asked for.' }),
});

export const AssetOrderField = { CREATED_AT: 'createdAt' } as const;
registerEnumType(AssetOrderField, {
  name: 'AssetOrderField',
  description: 'What assets are ordered by.',
  valuesConfig: describe({ CREATED_AT: 'When it was made.' }),
});

@InputType({ description: 'Order of a list of projects.' })
export class ProjectOrder {
  @Field(() => ProjectOrderField, { description: 'By what.', defaultValue: 'updatedAt' })
  field!: 'updatedAt' | 'createdAt' | 'name';

  @Field(() => Direction, byDirection)
  direction!: Direction;
}

@InputType({ description: 'Order of a list of generations.' })
export class GenerationOrder {
  @Field(() => GenerationOrderField, { description: 'By what.', defaultValue: 'createdAt' })
  field!: 'createdAt';

  @Field(() => Direction, byDirection)
  direction!: Direction;
}

@InputType({ description: 'Order of a list of assets.' })
export class AssetOrder {
  @Field(() => AssetOrderField, { description: 'By what.', defaultValue: 'createdAt' })
  field!: 'createdAt';

  @Field(() => Direction, byDirection)
  direction!: Direction;
}
