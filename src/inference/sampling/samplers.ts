import { DomainError } from '../../errors.ts';
import type { SchedulerCheckpoint } from '../checkpoints/scheduler.ts';
import {
  consistencyPoints,
  distilledPoints,
  evenPoints,
  karrasPoints,
  linearPoints,
  type Point,
  StepsUnsupported,
  trailingPoints,
} from './points.ts';
import { createSchedule, type Schedule } from './schedule.ts';
import {
  ddimScheduler,
  ddpmScheduler,
  dpmSolverKarras,
  dpmSolverMultistep,
  dpmSolverSde,
  eulerAncestralDiscrete,
  eulerDiscrete,
  heunDiscrete,
  lcmScheduler,
  type SchedulerClass,
  uniPcMultistep,
} from './scheduler-classes.ts';
import {
  dpmpp2m,
  dpmpp2mSde,
  euler,
  eulerAncestral,
  heun,
  lcm,
  oneStep,
  type SampleOptions,
  type Steps,
  unipc,
} from './solvers.ts';

/** All that the program knows of a sampler. */
type SamplerRow = {
  /** The name that other programs have for it. */
  readonly title: string;
  /** For the API: a sentence without its full stop. */
  readonly description: string;
  /** How many steps it can take, and takes by default. */
  readonly steps: { readonly min: number; readonly max: number; readonly default: number };
  /** What the weights were trained for: a model can use every sampler of its kind. */
  readonly kind: 'diffusion' | 'consistency' | 'one step';
  /** False: guidance is built into the distilled weights, and the denoiser runs once for each step. */
  readonly usesGuidance: boolean;
  /** diffusers' classes that stand for it. */
  readonly schedulers: readonly SchedulerClass[];
  readonly points: (schedule: Schedule, steps: number) => Point[];
  /** From noise to latents, one value for each step. To cancel, leave the iteration. */
  readonly sample: (options: SampleOptions) => Steps;
};

/** Every sampler there is. A new one is a function in `solvers.ts`, a row here and a golden test. */
export const samplers = {
  DPMPP_2M: {
    title: 'DPM++ 2M',
    description: 'DPM-Solver++(2M): good images in about 20 steps',
    steps: { min: 1, max: 100, default: 20 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [dpmSolverMultistep],
    points: evenPoints,
    sample: dpmpp2m,
  },
  DPMPP_2M_KARRAS: {
    title: 'DPM++ 2M Karras',
    description:
      'DPM-Solver++(2M) on the noise levels of Karras et al., which are closer together near the end',
    steps: { min: 1, max: 100, default: 20 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [dpmSolverKarras],
    points: karrasPoints,
    sample: dpmpp2m,
  },
  DPMPP_2M_SDE: {
    title: 'DPM++ 2M SDE',
    description: 'DPM-Solver++(2M) with new noise in each step: more variety, with more steps',
    steps: { min: 1, max: 100, default: 30 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [dpmSolverSde],
    points: evenPoints,
    sample: dpmpp2mSde,
  },
  UNIPC: {
    title: 'UniPC',
    description: 'A predictor and a corrector of second order: good images in few steps',
    steps: { min: 1, max: 100, default: 20 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [uniPcMultistep],
    points: evenPoints,
    sample: unipc,
  },
  DDIM: {
    title: 'DDIM',
    description: 'Denoising diffusion implicit model without noise: the classic, of first order',
    steps: { min: 1, max: 100, default: 30 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [ddimScheduler],
    points: trailingPoints,
    sample: euler,
  },
  EULER: {
    title: 'Euler',
    description: "Euler's method: of first order, smooth",
    steps: { min: 2, max: 100, default: 30 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [eulerDiscrete],
    points: linearPoints,
    sample: euler,
  },
  EULER_ANCESTRAL: {
    title: 'Euler a',
    description: "Euler's method with new noise in each step",
    steps: { min: 2, max: 100, default: 30 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [eulerAncestralDiscrete],
    points: linearPoints,
    sample: eulerAncestral,
  },
  HEUN: {
    title: 'Heun',
    description: "Heun's method: of second order, with two evaluations of the model in each step",
    steps: { min: 2, max: 100, default: 15 },
    kind: 'diffusion',
    usesGuidance: true,
    schedulers: [heunDiscrete],
    points: linearPoints,
    sample: heun,
  },
  LCM: {
    title: 'LCM',
    description:
      'Latent consistency sampling, for models distilled for it: good images in about 4 steps',
    steps: { min: 1, max: 50, default: 4 },
    kind: 'consistency',
    usesGuidance: false,
    schedulers: [lcmScheduler],
    points: consistencyPoints,
    sample: lcm,
  },
  DMD: {
    title: 'DMD',
    description:
      'Distribution matching distillation, for models distilled for it: one step makes the image',
    steps: { min: 1, max: 1, default: 1 },
    kind: 'one step',
    usesGuidance: false,
    schedulers: [ddpmScheduler],
    points: distilledPoints,
    sample: oneStep,
  },
} as const satisfies Record<string, SamplerRow>;

export type Sampler = keyof typeof samplers;
export const samplerNames = Object.keys(samplers) as Sampler[];

/** What a model whose scheduler stands for a sampler can be drawn with: that one first. */
export function samplersLike(sampler: Sampler): Sampler[] {
  const isAlike = (name: Sampler) => samplers[name].kind === samplers[sampler].kind;
  return [sampler, ...samplerNames.filter((name) => name !== sampler && isAlike(name))];
}

/** A scheduler class without a sampler here. */
function schedulerUnsupported(got: string): DomainError {
  const known = new Set(samplerNames.flatMap((name) => classNames(name)));
  return new DomainError(
    'MODEL_UNAVAILABLE',
    `Expected a scheduler of class ${[...known].join(' or ')}, but got ${got}`,
  );
}

/**
 * The sampler that a model's scheduler stands for, and its noise schedule.
 * @throws DomainError (MODEL_UNAVAILABLE), ScheduleUnsupported
 */
export function samplerOf(scheduler: SchedulerCheckpoint): { name: Sampler; schedule: Schedule } {
  let refusal: unknown;
  for (const name of samplerNames) {
    const known = schedulersOf(name).find((one) => one.name === scheduler.className);
    if (known === undefined) continue;
    try {
      return { name, schedule: createSchedule(scheduler, known) };
    } catch (error) {
      refusal ??= error; // Another sampler may have this class with other options.
    }
  }
  if (refusal !== undefined) throw refusal;
  throw schedulerUnsupported(scheduler.className);
}

function schedulersOf(name: Sampler): readonly SchedulerClass[] {
  return samplers[name].schedulers;
}

function classNames(name: Sampler): string[] {
  return schedulersOf(name).map((known) => known.name);
}

/** The points of a sampler's path from noise to the clean image, `steps + 1` of them. @throws StepsUnsupported */
export function pathOf(sampler: Sampler, schedule: Schedule, steps: number): Point[] {
  const row: SamplerRow = samplers[sampler];
  const { min, max } = row.steps;
  if (!Number.isInteger(steps) || steps < min || steps > max) {
    throw new StepsUnsupported({ min, max }, steps);
  }
  return row.points(schedule, steps);
}
