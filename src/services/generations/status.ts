import type { GenerationStatus } from '../../generated/prisma/client.ts';
import { type Stage, stages } from '../../inference/request.ts';

export function isFinal(status: GenerationStatus): boolean {
  return status === 'SUCCEEDED' || status === 'FAILED' || status === 'CANCELED';
}

/** Stage of a RUNNING row: null in the row before the engine has entered a first one. */
export function stageOf(text: string | null): Stage {
  return stages.find((stage) => stage === text) ?? 'LOADING_MODEL';
}
