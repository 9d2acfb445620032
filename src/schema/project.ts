import 'reflect-metadata';
import { Field, InputType, ObjectType } from 'type-graphql';
import { connectionOf } from './connection.ts';
import { Node } from './node.ts';
import { DateTime } from './scalars.ts';

@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'A folder of generations and the pictures that they made.',
})
export class Project extends Node {
  @Field(() => String, { description: 'As people call it.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'What it is for.' })
  description!: string | null;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last changed.' })
  updatedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was put into the trash.' })
  trashedAt!: Date | null;
}

export const ProjectConnection = connectionOf(() => Project, 'Project', 'projects');

@InputType({ description: 'Which projects.' })
export class ProjectFilter {
  @Field(() => String, { nullable: true, description: 'A part of the name.' })
  search?: string | null;

  @Field(() => Boolean, { description: 'Those in the trash instead.', defaultValue: false })
  trashed!: boolean;
}

@InputType({ description: 'A new project.' })
export class CreateProjectInput {
  @Field(() => String, { description: 'What people call it: 1 to 200 characters.' })
  name!: string;

  @Field(() => String, {
    nullable: true,
    description: 'What it is for: at most 5,000 characters.',
  })
  description?: string | null;
}

@ObjectType({ simpleResolvers: true, description: 'What `createProject` answers.' })
export class CreateProjectPayload {
  @Field(() => Project, { description: 'The new one.' })
  project!: Project;
}
