/** One of diffusers' scheduler classes, as far as it is implemented here. */
export type SchedulerClass = {
  readonly name: string;
  /** Where the file leaves an option out: those that every schedule has, and defaults that are not implemented. */
  readonly defaults: {
    readonly beta_start: number;
    readonly beta_end: number;
    readonly beta_schedule: 'linear' | 'scaled_linear';
    readonly [option: string]: Value;
  };
  /**
   * Options that change the arithmetic, and the values of them that are implemented. Null, left out and
   * an empty list are the default: the first one, where `defaults` has no other. None: only that.
   */
  readonly implemented: Readonly<Record<string, readonly Value[]>>;
};

type Value = string | number | boolean;

/** The schedule of most classes, where the file names none. */
const usual = { beta_start: 0.0001, beta_end: 0.02, beta_schedule: 'linear' } as const;

/** Other noise levels than those of the timesteps. */
const withoutOtherSigmas = {
  use_karras_sigmas: [false],
  use_exponential_sigmas: [false],
  use_beta_sigmas: [false],
  use_flow_sigmas: [false],
  use_lu_lambdas: [false],
  use_dynamic_shifting: [false],
} as const;

/** Source: diffusers `schedulers/scheduling_dpmsolver_multistep.py`. */
export const dpmSolverMultistep: SchedulerClass = {
  name: 'DPMSolverMultistepScheduler',
  defaults: usual,
  implemented: {
    algorithm_type: ['dpmsolver++', 'deis'], // Files of other classes have their names for it.
    solver_order: [2],
    solver_type: ['midpoint', 'logrho', 'bh1', 'bh2'],
    timestep_spacing: ['linspace'],
    final_sigmas_type: ['zero'],
    thresholding: [false],
    ...withoutOtherSigmas,
    lambda_min_clipped: [Number.NEGATIVE_INFINITY],
    // With a learned one it reads three channels as the noise, which are not those of latents.
    variance_type: ['fixed_small', 'fixed_small_log', 'fixed_large', 'fixed_large_log'],
  },
};

/** The same class where it takes other noise levels. */
export const dpmSolverKarras: SchedulerClass = {
  ...dpmSolverMultistep,
  defaults: { ...usual, use_karras_sigmas: false },
  implemented: { ...dpmSolverMultistep.implemented, use_karras_sigmas: [true] },
};

/** The same class where it adds noise. */
export const dpmSolverSde: SchedulerClass = {
  ...dpmSolverMultistep,
  defaults: { ...usual, algorithm_type: 'dpmsolver++' },
  implemented: { ...dpmSolverMultistep.implemented, algorithm_type: ['sde-dpmsolver++'] },
};

/** Source: diffusers `schedulers/scheduling_unipc_multistep.py`. */
export const uniPcMultistep: SchedulerClass = {
  name: 'UniPCMultistepScheduler',
  defaults: usual,
  implemented: {
    solver_order: [2],
    solver_type: ['bh2', 'midpoint', 'heun', 'logrho'],
    predict_x0: [true],
    lower_order_final: [true],
    disable_corrector: [],
    solver_p: [],
    timestep_spacing: ['linspace'],
    final_sigmas_type: ['zero'],
    thresholding: [false],
    ...withoutOtherSigmas,
    sigma_min: [],
    sigma_max: [],
  },
};

/** Source: diffusers `schedulers/scheduling_ddim.py`. Its default spacing does not begin at noise alone. */
export const ddimScheduler: SchedulerClass = {
  name: 'DDIMScheduler',
  defaults: { ...usual, clip_sample: true, timestep_spacing: 'leading' },
  implemented: {
    clip_sample: [false],
    thresholding: [false],
    set_alpha_to_one: [true],
    timestep_spacing: ['trailing'],
  },
};

/**
 * Source: diffusers `schedulers/scheduling_euler_discrete.py`. It scales the noise to begin with by σ,
 * where √(σ² + 1) would have the variance of the data added: 2e-5 of it.
 */
export const eulerDiscrete: SchedulerClass = {
  name: 'EulerDiscreteScheduler',
  defaults: usual,
  implemented: {
    interpolation_type: ['linear'],
    timestep_type: ['discrete'],
    timestep_spacing: ['linspace'],
    final_sigmas_type: ['zero'],
    ...withoutOtherSigmas,
    sigma_min: [],
    sigma_max: [],
  },
};

/** Source: diffusers `schedulers/scheduling_euler_ancestral_discrete.py`. */
export const eulerAncestralDiscrete: SchedulerClass = {
  name: 'EulerAncestralDiscreteScheduler',
  defaults: usual,
  implemented: { timestep_spacing: ['linspace'] },
};

/** Source: diffusers `schedulers/scheduling_heun_discrete.py`. */
export const heunDiscrete: SchedulerClass = {
  name: 'HeunDiscreteScheduler',
  defaults: { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'linear' },
  implemented: { clip_sample: [false], timestep_spacing: ['linspace'], ...withoutOtherSigmas },
};

/** Source: diffusers `schedulers/scheduling_lcm.py`. */
export const lcmScheduler: SchedulerClass = {
  name: 'LCMScheduler',
  defaults: { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' },
  implemented: { clip_sample: [false], thresholding: [false] },
};

/**
 * Models of one step: of the class, only the noise schedule and the estimate of the clean latents are
 * used. Source: diffusers `schedulers/scheduling_ddpm.py`.
 */
export const ddpmScheduler: SchedulerClass = {
  name: 'DDPMScheduler',
  defaults: { ...usual, clip_sample: true },
  implemented: { clip_sample: [false], thresholding: [false] },
};

/**
 * Options of diffusers' scheduler classes that have no influence where a class does not list them: it
 * does not read them, or only beside values that it does not implement.
 */
export const optionsWithoutInfluence: ReadonlySet<string> = new Set([
  ...['algorithm_type', 'base_image_seq_len', 'base_shift', 'clip_sample', 'clip_sample_range'],
  ...['disable_corrector', 'dynamic_thresholding_ratio', 'euler_at_final', 'final_sigmas_type'],
  ...['flow_shift', 'interpolation_type', 'invert_sigmas', 'lambda_min_clipped'],
  ...['lower_order_final', 'max_image_seq_len', 'max_shift', 'noise_sampler_seed', 'predict_x0'],
  ...['rho', 'sample_max_value', 'set_alpha_to_one', 'shift', 'shift_terminal', 'sigma_data'],
  ...['sigma_max', 'sigma_min', 'skip_prk_steps', 'snr_shift_scale', 'solver_order', 'solver_p'],
  ...['solver_type', 'steps_offset', 'stochastic_sampling', 'thresholding', 'time_shift_type'],
  ...['timestep_spacing', 'timestep_type', 'use_beta_sigmas', 'use_dynamic_shifting'],
  ...['use_exponential_sigmas', 'use_flow_sigmas', 'use_karras_sigmas', 'use_lu_lambdas'],
  'variance_type',
]);
