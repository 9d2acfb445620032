import type { Plan } from '../onnx/graph.ts';
import type { SessionOptions } from '../onnx/session.ts';

/** Where and how a network is run. */
export type Runtime = Pick<SessionOptions, 'provider' | 'threads'> & { readonly plan: Plan };

/** Awaited between the pieces of a long run; what it throws ends the run. */
export type Pause = () => Promise<void>;
