import { describe, expect, test } from 'vitest';
import { cleanEstimate, evenPoints, type Point } from '../../src/inference/sampling/points.ts';
import {
  type Denoise,
  dpmpp2m,
  pathOf,
  type Sampler,
  type SampleStep,
  StepsUnsupported,
  samplers,
} from '../../src/inference/sampling/samplers.ts';
import { createSchedule, parseConfig } from '../../src/inference/sampling/schedule.ts';

// Trajectories of diffusers' and PixArt's own solver classes (float32) on toy denoisers.
const schedule = createSchedule(parseConfig('{}'));
const start = [1, -0.5, 2];

/** A denoiser of a function that predicts the noise ε of each element. */
const elementwise =
  (f: (x: number, timestep: number) => number): Denoise =>
  async (latents, at) =>
    cleanEstimate(
      latents,
      latents.map((x) => f(x, at.timestep)),
      at,
    );
const bounded = elementwise((x) => (0.9 * x) / (1 + Math.abs(x)));
const wave = elementwise((x, t) => Math.sin(x) + t / 1000);

type Case = { sampler: Sampler; steps: number; denoise: Denoise };

async function walk({ sampler, steps, denoise }: Case): Promise<SampleStep[]> {
  return collect(
    samplers[sampler].sample({
      latents: Float32Array.from(start),
      points: pathOf(sampler, schedule, steps),
      schedule,
      denoise,
      noise: () => new Float32Array(start.length).fill(0.3),
    }),
  );
}

async function collect(walk: AsyncIterable<SampleStep>) {
  const taken: SampleStep[] = [];
  for await (const step of walk) taken.push(step);
  return taken;
}

function expectNear(got: Float32Array | undefined, want: readonly number[], tolerance = 3e-6) {
  expect(got).toHaveLength(want.length);
  for (const [i, value] of want.entries()) {
    expect(Math.abs(got![i]! - value) / Math.max(1, Math.abs(value))).toBeLessThan(tolerance);
  }
}

describe('DPM-Solver++(2M)', () => {
  // x' = A·x + c0·m0 + c1·m1 with 20 steps: read off by denoisers that return the wanted x0.
  test.each([
    [0, 0.99996613, 0.00404443, 0],
    [1, 0.99991643, 0.00913052, -0.00293735],
    [5, 0.99818449, 0.03772836, -0.01204399],
    [10, 0.97360413, 0.12331771, -0.04013819],
    [15, 0.84739155, 0.30603877, -0.10778455],
    [18, 0.53531635, 0.85530689, -0.37691885],
    [19, 0, 1, 0],
  ])('combines step %i as the reference', async (index, a, c0, c1) => {
    for (const [x, m0, m1] of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ] as const) {
      // Latents are steered by hand: x0 is m1 one step before, m0 now.
      let call = 0;
      const walk = dpmpp2m({
        latents: new Float32Array(1),
        points: evenPoints(schedule, 20),
        schedule,
        noise: () => new Float32Array(1),
        denoise: async (latents) => {
          const now = call++;
          if (now === index) latents[0] = x;
          return Float32Array.of(now === index ? m0 : now === index - 1 ? m1 : 0);
        },
      });
      const after = (await collect(walk))[index]!.latents[0]!;
      expect(Math.abs(after - (a * x + c0 * m0 + c1 * m1))).toBeLessThan(2e-7);
    }
  });

  test('follows the reference over 20 steps', async () => {
    const steps = await walk({ sampler: 'DPMPP_2M', steps: 20, denoise: bounded });
    expectNear(steps[0]?.latents, [1.350121, -0.627314, 2.89123]);
    expectNear(steps[1]?.latents, [1.827324, -0.78102, 4.195478]);
    expectNear(steps[9]?.latents, [19.69471, -5.144615, 57.737457]);
    expectNear(steps[18]?.latents, [66.72654, -15.570355, 201.001389]);
    expectNear(steps[19]?.latents, [67.596161, -15.660847, 203.933472]);
  });

  test.each([
    [20, [-13.70916, -125.791367, 70.928596]],
    [14, [-12.491858, -152.212891, 65.89595]],
    [4, [-113.080475, -156.678528, 36.484531]],
  ])('ends where the reference does with %i steps', async (steps, want) => {
    const taken = await walk({ sampler: 'DPMPP_2M', steps, denoise: wave });
    expectNear(taken.at(-1)?.latents, want, 2e-5); // the denoiser amplifies float32 rounding
  });

  test('ends on the denoised estimate itself, with any number of steps', async () => {
    for (const steps of [1, 2, 20, 100]) {
      const taken = await walk({ sampler: 'DPMPP_2M', steps, denoise: bounded });
      expect(taken).toHaveLength(steps);
      expect(taken.at(-1)?.latents).toEqual(taken.at(-1)?.denoised);
    }
  });

  test.each([
    [1, [-14.959913, -131.486008, 68.143661, -71.335442]],
    [4.5, [-20.792973, -154.441101, 40.442883, -85.46608]],
  ])("follows PixArt's own continuous times at guidance %d", async (scale, want) => {
    const times: number[] = [];
    const taken = await collect(
      dpmpp2m({
        latents: Float32Array.of(1, -0.5, 2, 0),
        points: continuousPoints(20),
        schedule,
        noise: () => new Float32Array(4),
        denoise: async (latents, at) => {
          times.push(at.timestep);
          const noise = latents.map((x) => Math.sin(x) + at.timestep / 1000 + 0.02 * scale);
          return cleanEstimate(latents, noise, at);
        },
      }),
    );
    expect(times).toHaveLength(20);
    expect(times[1]).toBeCloseTo(949.05, 10);
    expect(times.at(-1)).toBeCloseTo(49.95, 10);
    expectNear(taken.at(-1)?.latents, want, 2e-5);
  });
});

/**
 * The points of PixArt-Σ's own scripts (`diffusion/model/dpm_solver.py`): continuous times
 * u = 1 … 1/T, log α interpolated over u_i = (i+1)/T, β spaced in double. It stops at u = 1/T,
 * where a little noise (σ ≈ 0.01) is left. `steps + 1` points.
 */
function continuousPoints(steps: number): Point[] {
  const { trainTimesteps: count, betaStart, betaEnd } = schedule;
  let sum = 0;
  const logAlphas = Array.from({ length: count }, (_, i) => {
    sum += Math.log(1 - (betaStart + ((betaEnd - betaStart) * i) / (count - 1)));
    return sum / 2;
  });
  const last = 1 / count;
  return Array.from({ length: steps + 1 }, (_, step) => {
    const u = 1 + ((last - 1) * step) / steps;
    const position = Math.min(Math.max(u * count - 1, 0), count - 1);
    const below = Math.min(Math.floor(position), count - 2);
    const part = position - below;
    const logAlpha = logAlphas[below]! * (1 - part) + logAlphas[below + 1]! * part;
    const sigma = Math.sqrt(-Math.expm1(2 * logAlpha));
    return { timestep: (u - last) * 1000, alpha: Math.exp(logAlpha), sigma };
  });
}

describe('LCM', () => {
  test.each([
    [4, [999, 759, 499, 259], [-134.47406, -156.539856, -9.263119]],
    [2, [999, 499], [-135.658432, -158.91214, 16.944391]],
    [1, [999], [-132.293076, -160.490005, 14.441005]],
    [8, [999, 879, 759, 639, 499, 379, 259, 139], undefined],
  ])('follows the reference with %i steps', async (steps, timesteps, want) => {
    const times: number[] = [];
    const denoise: Denoise = (latents, at) => {
      times.push(at.timestep);
      return wave(latents, at);
    };
    const taken = await walk({ sampler: 'LCM', steps, denoise });
    expect(times).toEqual(timesteps);
    if (want) expectNear(taken.at(-1)?.latents, want, 2e-5);
  });

  test('asks for fresh noise after every step but the last', async () => {
    const asked: number[] = [];
    const noise = (step: number) => {
      asked.push(step);
      return new Float32Array(3);
    };
    const latents = Float32Array.from(start);
    const points = pathOf('LCM', schedule, 4);
    await collect(samplers.LCM.sample({ latents, points, schedule, denoise: wave, noise }));
    expect(asked).toEqual([1, 2, 3]);
  });
});

describe('DMD', () => {
  test('takes one step from timestep 400', async () => {
    const alpha = Math.sqrt(0.19357197);
    const sigma = Math.sqrt(1 - 0.19357197);
    const [step, ...others] = await walk({ sampler: 'DMD', steps: 1, denoise: wave });
    const want = start.map((x) => (x - sigma * (Math.sin(x) + 0.4)) / alpha);
    expectNear(step?.latents, want, 1e-6);
    expect(others).toEqual([]);
  });
});

describe('every sampler', () => {
  test.each([
    ['LCM', 51],
    ['DMD', 4],
    ['DPMPP_2M', 0],
    ['DPMPP_2M', 1.5],
  ] as const)('refuses %s with %d steps, naming the bounds', (sampler, steps) => {
    expect(() => pathOf(sampler, schedule, steps)).toThrow(StepsUnsupported);
  });

  test('leaves the latents that it was given alone, and does nothing before it is iterated', async () => {
    const latents = Float32Array.from(start);
    let calls = 0;
    const denoise: Denoise = (x, t) => {
      calls++;
      return wave(x, t);
    };
    const noise = () => new Float32Array(3);
    const iteration = dpmpp2m({
      latents,
      points: evenPoints(schedule, 3),
      schedule,
      denoise,
      noise,
    });
    expect(calls).toBe(0);
    await iteration.next();
    await iteration.return();
    expect(calls).toBe(1);
    expect([...latents]).toEqual(start);
  });
});
