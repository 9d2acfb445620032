import 'reflect-metadata';
import { Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { describe, enumOf } from './enumeration.ts';
import { Cursor, DateTime } from './scalars.ts';
import { Needs } from './scope.ts';

export const TimelineUnit = enumOf(['DAY', 'MONTH']);
export type TimelineUnit = keyof typeof TimelineUnit;
registerEnumType(TimelineUnit, {
  name: 'TimelineUnit',
  description: 'Length of the buckets of a timeline.',
  valuesConfig: describe<TimelineUnit>({ DAY: 'A day.', MONTH: 'A calendar month.' }),
});

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'A day or month in which assets were stored.' })
export class TimelineBucket {
  @Field(() => DateTime, { description: 'Time at which it begins.' })
  start!: Date;

  @Field(() => Int, { description: 'Number of assets in it.' })
  count!: number;

  @Field(() => Cursor, {
    description:
      'Position before its newest asset: `after` of `assets` in the order CREATED_AT DESC, with the same project and filter.',
  })
  cursor!: string;
}

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'A tag, and how many assets have it.' })
export class TagCount {
  @Field(() => String, { description: 'The tag.' })
  tag!: string;

  @Field(() => Int, { description: 'Number of assets outside the trash that have it.' })
  count!: number;
}

@Needs('READ')
@ObjectType({ simpleResolvers: true, description: 'A value, and how many assets have it.' })
export class FacetCount {
  @Field(() => String, { description: 'The value as filters take it; of sizes `width`x`height`.' })
  value!: string;

  @Field(() => Int, { description: 'Number of assets.' })
  count!: number;
}

@Needs('READ')
@ObjectType({
  simpleResolvers: true,
  description:
    'How many assets of a list have each value: for filters with numbers. At most 100 values each, the most frequent first.',
})
export class AssetFacets {
  @Field(() => Int, { description: 'Number of assets in the list.' })
  total!: number;

  @Field(() => [FacetCount], { description: 'By name of the model.' })
  models!: FacetCount[];

  @Field(() => [FacetCount], { description: 'By sampler.' })
  samplers!: FacetCount[];

  @Field(() => [FacetCount], { description: 'By tag; an asset with several counts for each.' })
  tags!: FacetCount[];

  @Field(() => [FacetCount], { description: 'By origin.' })
  origins!: FacetCount[];

  @Field(() => [FacetCount], { description: 'By kind of their generation.' })
  kinds!: FacetCount[];

  @Field(() => [FacetCount], { description: 'By width and height.' })
  sizes!: FacetCount[];
}
