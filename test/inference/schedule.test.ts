import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openScheduler } from '../../src/inference/checkpoints/scheduler.ts';
import { evenPoints, timesteps } from '../../src/inference/sampling/points.ts';
import { samplerOf } from '../../src/inference/sampling/samplers.ts';
import { temporaryFolder } from '../support/golden.ts';

// As PixArt-Sigma-XL-2-1024-MS has it, with the bare -Infinity that Python writes.
const official = `{
  "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++",
  "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001,
  "lambda_min_clipped": -Infinity, "lower_order_final": true, "num_train_timesteps": 1000,
  "prediction_type": "epsilon", "solver_order": 2, "solver_type": "midpoint",
  "thresholding": false, "timestep_spacing": "linspace", "trained_betas": null,
  "use_karras_sigmas": false, "variance_type": null, "_note": "an \\"Infinity\\" in a string: NaN"
}`;

const folder = temporaryFolder();
afterAll(folder.remove);
let written = 0;

/** The sampler of a folder with this configuration, in a model whose index names this class. */
async function read(text: string, indexClass: string | null = null) {
  const path = join(folder.path, `${++written}`);
  mkdirSync(path);
  writeFileSync(join(path, 'scheduler_config.json'), text);
  return samplerOf(await openScheduler(path, indexClass));
}

const { name, schedule } = await read(official);

describe('noise schedule', () => {
  test('reads a configuration with a bare -Infinity', () => {
    expect(name).toBe('DPMPP_2M');
    expect(schedule).toMatchObject({ trainTimesteps: 1000, betaStart: 0.0001, betaEnd: 0.02 });
  });

  test('belongs to the class that model_index.json names, whichever class saved the options', async () => {
    const saved = official
      .replace('DPMSolverMultistepScheduler', 'DDPMScheduler')
      .replace('{', '{ "clip_sample": false,');
    expect((await read(saved)).name).toBe('DMD');
    expect((await read(saved, 'DPMSolverMultistepScheduler')).name).toBe('DPMPP_2M');
    expect((await read(official, 'LCMScheduler')).name).toBe('LCM');
  });

  test('has the defaults of its class where the file leaves options out', async () => {
    const bare = async (name: string) => (await read('{}', name)).schedule;
    expect(await bare('DPMSolverMultistepScheduler')).toMatchObject({ betaEnd: 0.02 });
    const lcm = await bare('LCMScheduler'); // scaled_linear from 0.00085 to 0.012
    expect(lcm.betas[0]).toBeCloseTo(0.00085, 9);
    expect(lcm.betas[999]).toBeCloseTo(0.012, 8);
    const [root0, root1] = [Math.sqrt(0.00085), Math.sqrt(0.012)];
    expect(lcm.betas[500]).toBeCloseTo((root0 + ((root1 - root0) * 500) / 999) ** 2, 7);
  });

  test.each([
    ['"epsilon"', '"v_prediction"', /prediction_type.*"v_prediction"/],
    [
      '"use_karras_sigmas": false',
      '"use_beta_sigmas": true',
      /use_beta_sigmas false of DPMSolver.*but got true/,
    ],
    ['"solver_order": 2', '"solver_order": 3', /solver_order 2.*but got 3/],
    ['"beta_schedule": "linear"', '"beta_schedule": "squaredcos_cap_v2"', /squaredcos_cap_v2/],
    ['"variance_type": null', '"variance_type": "learned_range"', /variance_type.*learned_range/],
    ['"_note"', '"use_cosine_sigmas": true, "_note"', /got use_cosine_sigmas, which is none/],
    ['-Infinity', '-5.1', /lambda_min_clipped.*but got -5\.1/],
    ['0.02', '"much"', /beta_end/],
    ['0.02', '1e999', /beta_end/],
    ['"trained_betas": null', '"trained_betas": [0.1]', /trained_betas/],
    ['"num_train_timesteps": 1000', '"num_train_timesteps": 50', /num_train_timesteps.*but got 50/],
    ['DPMSolverMultistepScheduler', 'DEISMultistepScheduler', /but got DEISMultistepScheduler/],
    ['DPMSolverMultistepScheduler', 'DDIMScheduler', /clip_sample false of DDIM.*but got true/],
    ['DPMSolverMultistepScheduler', 'DDPMScheduler', /clip_sample false.*but got true/],
    ['{', '[', /Expected JSON/],
  ])('refuses what it does not have: %s as %s', async (from, to, message) => {
    await expect(read(official.replace(from, to))).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.stringMatching(message),
    });
  });

  // Each with diffusers' own defaults, but for what stands here.
  test.each([
    ['DPMPP_2M_KARRAS', 'DPMSolverMultistepScheduler', { use_karras_sigmas: true }],
    ['DPMPP_2M_SDE', 'DPMSolverMultistepScheduler', { algorithm_type: 'sde-dpmsolver++' }],
    ['UNIPC', 'UniPCMultistepScheduler', { solver_type: 'bh2', disable_corrector: [] }],
    ['DDIM', 'DDIMScheduler', { clip_sample: false, timestep_spacing: 'trailing' }],
    ['EULER', 'EulerDiscreteScheduler', { interpolation_type: 'linear', sigma_min: null }],
    ['EULER_ANCESTRAL', 'EulerAncestralDiscreteScheduler', {}],
    ['HEUN', 'HeunDiscreteScheduler', { beta_start: 0.0001, beta_end: 0.02 }],
  ])('stands for %s where it is a %s with %j', async (sampler, className, options) => {
    const found = await read(JSON.stringify(options), className);
    expect(found.name).toBe(sampler);
    expect(found.schedule.betas).toEqual(schedule.betas);
  });

  test.each([
    ['DPMSolverMultistepScheduler', { use_karras_sigmas: true, algorithm_type: 'sde-dpmsolver++' }],
    ['UniPCMultistepScheduler', { disable_corrector: [0] }],
    ['UniPCMultistepScheduler', { solver_type: 'bh1' }],
    ['DDIMScheduler', { clip_sample: false }],
    ['EulerDiscreteScheduler', { sigma_max: 80 }],
    ['HeunDiscreteScheduler', { timestep_spacing: 'trailing' }],
  ])('refuses a %s with %j', async (className, options) => {
    await expect(read(JSON.stringify(options), className)).rejects.toMatchObject({
      name: 'ScheduleUnsupported',
    });
  });

  test('passes over options of other classes, and over new ones that are off', async () => {
    const saved = '"set_alpha_to_one": true, "skip_prk_steps": true, "use_cosine_sigmas": false';
    const bare = official.replace('{', `{ ${saved}, "clip_sample": true,`);
    expect((await read(bare)).schedule).toEqual(schedule);
  });

  // torch.linspace(1e-4, 0.02, 1000), float32, is symmetric: it counts from both ends.
  test('spaces β as PyTorch does, to the last bit', () => {
    const [start, end] = [Math.fround(1e-4), Math.fround(0.02)];
    const step = Math.fround((end - start) / 999);
    const expected = Float32Array.from({ length: 1000 }, (_, i) =>
      i < 500 ? start + step * i : end - step * (999 - i),
    );
    expect(schedule.betas).toEqual(expected);
    const plain = Float32Array.from({ length: 1000 }, (_, i) => 1e-4 + ((0.02 - 1e-4) * i) / 999);
    expect(plain.filter((beta, i) => beta !== expected[i])).toHaveLength(338);
  });

  test('has the reference values of ᾱ and σ', () => {
    expect(schedule.alphasCumprod[0]).toBeCloseTo(0.9999, 7);
    expect(schedule.alphasCumprod[400]).toBeCloseTo(0.19357197, 8);
    expect(schedule.alphasCumprod[999]! / 4.03583035e-5).toBeCloseTo(1, 7);
    expect(schedule.sigmas[0]).toBeCloseTo(0.01000133, 7);
    expect(schedule.sigmas[999]).toBeCloseTo(157.407, 3);
    const { alpha, sigma } = evenPoints(schedule, 20)[0]!;
    expect(Math.log(alpha / sigma)).toBeCloseTo(-5.0588, 4);
  });

  test('takes the timesteps of the reference, halves rounded to even', () => {
    expect(timesteps(20)).toEqual([
      999, 949, 899, 849, 799, 749, 699, 649, 599, 549, 500, 450, 400, 350, 300, 250, 200, 150, 100,
      50,
    ]);
    expect(timesteps(14)).toEqual([
      999, 928, 856, 785, 714, 642, 571, 500, 428, 357, 285, 214, 143, 71,
    ]);
    expect(timesteps(6).at(-1)).toBe(166); // 166.5
    expect(timesteps(1)).toEqual([999]);
  });

  // Printed from diffusers in single precision: the last digits carry its noise.
  test('has the reference points of the solver', () => {
    const points = evenPoints(schedule, 20);
    expect(points).toHaveLength(21);
    expect(points.at(-1)).toEqual({ timestep: 0, alpha: 1, sigma: 0 });
    const rows = [
      [0, 999, 0.00635282, 0.99997982],
      [1, 949, 0.01039703, 0.99994595],
      [5, 749, 0.05788394, 0.99832332],
      [10, 500, 0.27892051, 0.96031419],
      [12, 400, 0.43996815, 0.89801338],
      [15, 250, 0.72209624, 0.69179261],
      [18, 100, 0.94611911, 0.32381883],
      [19, 50, 0.98486107, 0.17334552],
    ] as const;
    for (const [index, timestep, alpha, sigma] of rows) {
      const point = points[index]!;
      expect(point.timestep).toBe(timestep);
      expect(Math.abs(point.alpha - alpha)).toBeLessThan(2e-7);
      expect(Math.abs(point.sigma - sigma)).toBeLessThan(2e-7);
    }
  });
});
