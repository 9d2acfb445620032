/** One of diffusers' scheduler classes, as far as it is implemented here. */
export type SchedulerClass = {
  readonly name: string;
  /** Of the options that every schedule has, where the file leaves them out. */
  readonly defaults: {
    readonly beta_start: number;
    readonly beta_end: number;
    readonly beta_schedule: 'linear' | 'scaled_linear';
  };
  /**
   * Options that change the arithmetic, and the values of them that are implemented; diffusers'
   * default first. Null and left out are the default. Options that are not listed have no influence.
   */
  readonly implemented: Readonly<Record<string, readonly (string | number | boolean)[]>>;
};

/** Source: diffusers `schedulers/scheduling_dpmsolver_multistep.py`. */
export const dpmSolverMultistep: SchedulerClass = {
  name: 'DPMSolverMultistepScheduler',
  defaults: { beta_start: 0.0001, beta_end: 0.02, beta_schedule: 'linear' },
  implemented: {
    algorithm_type: ['dpmsolver++'],
    solver_order: [2],
    solver_type: ['midpoint'],
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
  },
};

/** Source: diffusers `schedulers/scheduling_lcm.py`. */
export const lcmScheduler: SchedulerClass = {
  name: 'LCMScheduler',
  defaults: { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' },
  implemented: { clip_sample: [false], thresholding: [false] },
};

/** Models of one step: of the class, only the noise schedule is used. */
export const ddpmScheduler: SchedulerClass = {
  name: 'DDPMScheduler',
  defaults: { beta_start: 0.0001, beta_end: 0.02, beta_schedule: 'linear' },
  implemented: {},
};
