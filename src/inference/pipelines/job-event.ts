import type { EngineEvent } from '../request.ts';

/** An engine event, before it is known which files the model was made of. */
export type JobEvent =
  | Exclude<EngineEvent, { type: 'image' }>
  | Omit<Extract<EngineEvent, { type: 'image' }>, 'provenance'>;
