import 'reflect-metadata';
import { Field, InputType, ObjectType } from 'type-graphql';
import { projectLimits } from '../services/library/limits.ts';
import { connectionOf } from './connection.ts';
import { Node } from './node.ts';
import { DateTime } from './scalars.ts';
import { Needs } from './scope.ts';

@Needs('READ')
@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'A named group of generations and assets.',
})
export class Project extends Node {
  @Field(() => String, { description: 'Name, chosen by its owner; not unique.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'What it is for, in words of its owner.' })
  description!: string | null;

  @Field(() => DateTime, { description: 'Time of creation.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'Time of the last change.' })
  updatedAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Time at which it was moved to the trash; null where it is not there.',
  })
  trashedAt!: Date | null;
}

export const ProjectConnection = connectionOf(() => Project, 'Project', 'projects');

@InputType({ description: 'Conditions on projects; a project must meet all that are given.' })
export class ProjectFilter {
  @Field(() => String, {
    nullable: true,
    description: 'Text that the name contains, in upper or lower case.',
  })
  search?: string | null;

  @Field(() => Boolean, {
    description: 'Whether to list what is in the trash, instead of what is not.',
    defaultValue: false,
  })
  trashed!: boolean;
}

@InputType({ description: 'Input of `createProject`.' })
export class CreateProjectInput {
  @Field(() => String, {
    description: `Name, ${projectLimits.name.min} to ${projectLimits.name.max} characters, at least one of them visible.`,
  })
  name!: string;

  @Field(() => String, {
    nullable: true,
    description: `Description, at most ${projectLimits.description.max.toLocaleString('en')} characters.`,
  })
  description?: string | null;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `createProject`.' })
export class CreateProjectPayload {
  @Field(() => Project, { description: 'The new project.' })
  project!: Project;
}
