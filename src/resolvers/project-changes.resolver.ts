import 'reflect-metadata';
import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import {
  DeleteProjectInput,
  DeleteProjectPayload,
  RestoreProjectInput,
  RestoreProjectPayload,
  TrashProjectInput,
  TrashProjectPayload,
  UpdateProjectInput,
  UpdateProjectPayload,
} from '../schema/project-changes.ts';
import { Needs } from '../schema/scope.ts';
import type { Context } from './context.ts';

@Resolver()
export class ProjectChangesResolver {
  @Needs('WRITE')
  @Mutation(() => UpdateProjectPayload, {
    nullable: true,
    description: 'Changes name, description or cover of a project.',
  })
  updateProject(
    @Arg('input', () => UpdateProjectInput, { description: 'What to change.' })
    input: UpdateProjectInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.projects.update(viewer, input);
  }

  @Needs('WRITE')
  @Mutation(() => TrashProjectPayload, {
    nullable: true,
    description:
      'Moves a project to the trash, with all that is in it. Nothing in it may wait or run. After `TRASH_RETENTION_DAYS` it is deleted.',
  })
  trashProject(
    @Arg('input', () => TrashProjectInput, { description: 'The project.' })
    input: TrashProjectInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.projects.trash(viewer, input.id);
  }

  @Needs('WRITE')
  @Mutation(() => RestoreProjectPayload, {
    nullable: true,
    description: 'Takes a project out of the trash, with what went there together with it.',
  })
  restoreProject(
    @Arg('input', () => RestoreProjectInput, { description: 'The project.' })
    input: RestoreProjectInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.projects.restore(viewer, input.id);
  }

  @Needs('WRITE')
  @Mutation(() => DeleteProjectPayload, {
    nullable: true,
    description:
      'Deletes a project for good that is in the trash, with all that is in it, files too.',
  })
  deleteProject(
    @Arg('input', () => DeleteProjectInput, { description: 'The project.' })
    input: DeleteProjectInput,
    @Ctx() { services, viewer, address }: Context,
  ) {
    return services.projects.remove({ viewer, address }, input.id);
  }
}
