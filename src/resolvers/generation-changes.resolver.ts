import 'reflect-metadata';
import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import {
  CancelGenerationsInput,
  CancelGenerationsPayload,
  DeleteGenerationsInput,
  DeleteGenerationsPayload,
  RestoreGenerationsInput,
  RestoreGenerationsPayload,
  RetryGenerationInput,
  RetryGenerationPayload,
  SetGenerationPriorityInput,
  SetGenerationPriorityPayload,
  TrashGenerationsInput,
  TrashGenerationsPayload,
} from '../schema/generation-changes.ts';
import { Needs } from '../schema/scope.ts';
import type { Context } from './context.ts';

@Resolver()
export class GenerationChangesResolver {
  @Needs('GENERATE')
  @Mutation(() => CancelGenerationsPayload, {
    nullable: true,
    description: 'Cancels what waits or runs of several generations.',
  })
  cancelGenerations(
    @Arg('input', () => CancelGenerationsInput, { description: 'Which ones.' })
    input: CancelGenerationsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.generations.cancelMany(viewer, input);
  }

  @Needs('GENERATE')
  @Mutation(() => SetGenerationPriorityPayload, {
    nullable: true,
    description: 'Changes the priority of a generation that still waits.',
  })
  setGenerationPriority(
    @Arg('input', () => SetGenerationPriorityInput, {
      description: 'The generation and its priority.',
    })
    input: SetGenerationPriorityInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.generations.setPriority(viewer, input);
  }

  @Needs('GENERATE')
  @Mutation(() => RetryGenerationPayload, {
    nullable: true,
    description:
      'Requests a generation again that has failed or was cancelled, with the same settings and seed.',
  })
  retryGeneration(
    @Arg('input', () => RetryGenerationInput, { description: 'The generation.' })
    input: RetryGenerationInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.generations.retry(viewer, input);
  }

  @Needs('WRITE')
  @Mutation(() => TrashGenerationsPayload, {
    nullable: true,
    description:
      'Moves generations that have ended to the trash, with their images. After `TRASH_RETENTION_DAYS` they are deleted.',
  })
  trashGenerations(
    @Arg('input', () => TrashGenerationsInput, { description: 'The generations.' })
    input: TrashGenerationsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.generations.trash(viewer, input.ids);
  }

  @Needs('WRITE')
  @Mutation(() => RestoreGenerationsPayload, {
    nullable: true,
    description: 'Takes generations out of the trash, with the images that went there with them.',
  })
  restoreGenerations(
    @Arg('input', () => RestoreGenerationsInput, { description: 'The generations.' })
    input: RestoreGenerationsInput,
    @Ctx() { services, viewer }: Context,
  ) {
    return services.generations.restore(viewer, input.ids);
  }

  @Needs('WRITE')
  @Mutation(() => DeleteGenerationsPayload, {
    nullable: true,
    description: 'Deletes generations for good that are in the trash, with their images and files.',
  })
  deleteGenerations(
    @Arg('input', () => DeleteGenerationsInput, { description: 'The generations.' })
    input: DeleteGenerationsInput,
    @Ctx() { services, viewer, address }: Context,
  ) {
    return services.generations.remove({ viewer, address }, input.ids);
  }
}
