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
   * Options that change the arithmetic, and the values of them that are implemented. Null and left out
   * are the default, which is the first one where `defaults` has no other.
   */
  readonly implemented: Readonly<Record<string, readonly Value[]>>;
};

type Value = string | number | boolean;

/** Source: diffusers `schedulers/scheduling_dpmsolver_multistep.py`. */
export const dpmSolverMultistep: SchedulerClass = {
  name: 'DPMSolverMultistepScheduler',
  defaults: { beta_start: 0.0001, beta_end: 0.02, beta_schedule: 'linear' },
  implemented: {
    algorithm_type: ['dpmsolver++', 'deis'], // Files of other classes have their names for it.
    solver_order: [2],
    solver_type: ['midpoint', 'logrho', 'bh1', 'bh2'],
    timestep_spacing: ['linspace'],
    final_sigmas_type: ['zero'],
    thresholding: [false],
    use_karras_sigmas: [false],
    use_exponential_sigmas: [false],
    use_beta_sigmas: [false],
    use_flow_sigmas: [false],
    use_lu_lambdas: [false],
    use_dynamic_shifting: [false],
    lambda_min_clipped: [Number.NEGATIVE_INFINITY],
    // With a learned one it reads three channels as the noise, which are not those of latents.
    variance_type: ['fixed_small', 'fixed_small_log', 'fixed_large', 'fixed_large_log'],
  },
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
  defaults: { beta_start: 0.0001, beta_end: 0.02, beta_schedule: 'linear', clip_sample: true },
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
