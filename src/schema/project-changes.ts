import 'reflect-metadata';
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { projectLimits } from '../services/library/limits.ts';
import { Project } from './project.ts';
import { Needs } from './scope.ts';

@InputType({ description: 'Input of `updateProject`. What is left out stays as it is.' })
export class UpdateProjectInput {
  @Field(() => ID, { description: 'Global id of the project.' })
  id!: string;

  @Field(() => String, {
    nullable: true,
    description: `New name, ${projectLimits.name.min} to ${projectLimits.name.max} characters, at least one of them visible.`,
  })
  name?: string | null;

  @Field(() => String, {
    nullable: true,
    description: `New description, at most ${projectLimits.description.max.toLocaleString('en')} characters. Null removes it.`,
  })
  description?: string | null;

  @Field(() => ID, {
    nullable: true,
    description: 'Global id of the asset that stands for the project in lists. Null removes it.',
  })
  coverAssetId?: string | null;
}

@InputType({ description: 'Input of `trashProject`.' })
export class TrashProjectInput {
  @Field(() => ID, { description: 'Global id of the project.' })
  id!: string;
}

@InputType({ description: 'Input of `restoreProject`.' })
export class RestoreProjectInput {
  @Field(() => ID, { description: 'Global id of the project.' })
  id!: string;
}

@InputType({ description: 'Input of `deleteProject`.' })
export class DeleteProjectInput {
  @Field(() => ID, { description: 'Global id of the project.' })
  id!: string;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `updateProject`.' })
export class UpdateProjectPayload {
  @Field(() => Project, { description: 'The project.' })
  project!: Project;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `trashProject`.' })
export class TrashProjectPayload {
  @Field(() => Project, { description: 'The project.' })
  project!: Project;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `restoreProject`.' })
export class RestoreProjectPayload {
  @Field(() => Project, { description: 'The project.' })
  project!: Project;
}

@Needs('WRITE')
@ObjectType({ simpleResolvers: true, description: 'Result of `deleteProject`.' })
export class DeleteProjectPayload {
  @Field(() => ID, { description: 'Global id of the project that was deleted.' })
  deletedProjectId!: string;
}
