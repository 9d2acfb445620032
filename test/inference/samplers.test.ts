import { describe, expect, test } from 'vitest';
import {
  cleanEstimate,
  evenPoints,
  type Point,
  StepsUnsupported,
} from '../../src/inference/sampling/points.ts';
import { pathOf, type Sampler, samplers } from '../../src/inference/sampling/samplers.ts';
import { createSchedule } from '../../src/inference/sampling/schedule.ts';
import { dpmSolverMultistep } from '../../src/inference/sampling/scheduler-classes.ts';
import { type Denoise, dpmpp2m, type SampleStep } from '../../src/inference/sampling/solvers.ts';

// Trajectories of diffusers' and PixArt's own solver classes (float32) on toy denoisers.
const schedule = createSchedule({ options: {} }, dpmSolverMultistep);
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

// diffusers 0.42.1 in single precision, the classes that the table names with the schedule of PixArt and
// their own defaults, DDIM with `trailing` spacing; noise of 0.3 throughout.
describe('samplers of diffusion models', () => {
  test.each([
    [
      'DPMPP_2M_KARRAS',
      1,
      [86.577171, -31.483044, 220.376541],
      [-132.293076, -160.490005, 14.441005],
    ],
    [
      'DPMPP_2M_KARRAS',
      4,
      [72.745972, -17.86482, 209.655365],
      [-125.162109, -138.001633, 47.581085],
    ],
    ['DPMPP_2M_KARRAS', 8, [65.921219, -13.828498, 202.811996], [2.628599, -142.144806, 65.326714]],
    [
      'DPMPP_2M_KARRAS',
      20,
      [66.71096, -15.18126, 202.972839],
      [-13.063358, -127.500404, 80.160942],
    ],
    [
      'DPMPP_2M_KARRAS',
      50,
      [66.776985, -15.313927, 202.954315],
      [-14.954701, -125.374489, 79.282318],
    ],
    ['DPMPP_2M_SDE', 1, [86.577171, -31.483044, 220.376541], [-132.293076, -160.490005, 14.441005]],
    ['DPMPP_2M_SDE', 4, [73.807213, -5.823876, 205.997742], [-114.650879, -158.361725, -17.043703]],
    ['DPMPP_2M_SDE', 8, [60.973423, 3.757194, 187.056778], [-89.837769, -182.967239, -26.514664]],
    ['DPMPP_2M_SDE', 20, [74.466866, 8.846945, 195.377869], [0.137581, -33.896057, 0.144942]],
    ['DPMPP_2M_SDE', 50, [121.193314, 29.470682, 245.873947], [0.406748, 0.398928, 0.412402]],
    ['UNIPC', 1, [86.577171, -31.483044, 220.376541], [-132.293076, -160.490005, 14.441005]],
    ['UNIPC', 4, [78.202156, -22.667194, 214.130692], [-112.884804, -156.619965, 40.770519]],
    ['UNIPC', 8, [70.792595, -17.220135, 207.443161], [-10.003985, -156.497849, 53.250061]],
    ['UNIPC', 20, [67.216133, -15.48446, 203.532013], [-14.727588, -120.338951, 72.582169]],
    ['UNIPC', 50, [66.819496, -15.344676, 202.998306], [-15.502911, -126.228836, 79.764565]],
    ['DDIM', 1, [86.577179, -31.483044, 220.376541], [-132.29306, -160.490005, 14.441005]],
    ['DDIM', 4, [80.846672, -25.412481, 216.110123], [-115.341194, -156.626968, 28.04076]],
    ['DDIM', 8, [75.319077, -21.011023, 211.222321], [-50.714638, -156.544357, 42.297897]],
    ['DDIM', 20, [70.538719, -17.694151, 206.642166], [-28.881678, -142.326324, 60.829617]],
    ['DDIM', 50, [68.33609, -16.284132, 204.47995], [-20.380236, -131.876816, 71.427864]],
    ['EULER', 2, [86.572784, -31.477318, 220.373566], [-132.271515, -160.487366, 14.450596]],
    ['EULER', 4, [83.020782, -27.437176, 217.832916], [-123.50058, -167.016129, 29.963207]],
    ['EULER', 8, [76.286957, -21.730219, 212.119385], [-67.183907, -174.388336, 41.165123]],
    ['EULER', 20, [70.720741, -17.813864, 206.819794], [-29.847563, -140.686676, 61.588844]],
    ['EULER', 50, [68.365479, -16.302504, 204.508942], [-20.46356, -131.969177, 71.274284]],
    [
      'EULER_ANCESTRAL',
      2,
      [86.571281, -31.471319, 220.370575],
      [-132.286774, -160.489563, 14.434473],
    ],
    [
      'EULER_ANCESTRAL',
      4,
      [81.279816, -20.886482, 214.687485],
      [-126.57531, -168.658005, 2.305187],
    ],
    [
      'EULER_ANCESTRAL',
      8,
      [70.845329, 0.112157, 200.677109],
      [-98.990433, -177.981186, -10.106846],
    ],
    [
      'EULER_ANCESTRAL',
      20,
      [76.234207, 5.335606, 200.830887],
      [-26.560329, -101.535995, -0.121122],
    ],
    ['EULER_ANCESTRAL', 50, [115.528236, 24.799366, 241.116592], [0.313085, 0.284009, 0.323521]],
    ['HEUN', 4, [55.96043, -0.746864, 198.237946], [-68.57769, -212.057312, 134.958878]],
    ['HEUN', 8, [63.336803, -11.793294, 201.095459], [0.249538, -229.56282, 78.877083]],
    ['HEUN', 20, [66.284531, -14.895143, 202.64183], [-11.508129, -132.991211, 79.495529]],
    ['HEUN', 50, [66.711235, -15.27108, 202.901855], [-14.85428, -126.680267, 80.762863]],
  ] as const)(
    '%s with %i steps ends where the reference does',
    async (sampler, steps, calm, wild) => {
      const ends = async (denoise: Denoise) =>
        (await walk({ sampler, steps, denoise })).at(-1)?.latents;
      expectNear(await ends(bounded), calm, 1e-5);
      expectNear(await ends(wave), wild, 2e-4); // the denoiser amplifies float32 rounding
    },
  );

  test.each([
    ['DPMPP_2M_KARRAS', [999.0, 917.0, 815.0, 681.0, 484.0, 205.0, 32.0, 0.0]],
    ['DDIM', [999.0, 874.0, 749.0, 624.0, 499.0, 374.0, 249.0, 124.0]],
    ['EULER', [999.0, 856.2857, 713.5714, 570.8571, 428.1429, 285.4286, 142.7143, 0.0]],
    [
      'HEUN',
      [
        999.0, 856.2857, 856.2857, 713.5714, 713.5714, 570.8571, 570.8571, 428.1429, 428.1429,
        285.4286, 285.4286, 142.7143, 142.7143, 0.0, 0.0,
      ],
    ],
  ] as const)(
    '%s evaluates the model at the timesteps of the reference',
    async (sampler, times) => {
      const got: number[] = [];
      const denoise: Denoise = (latents, at) => {
        got.push(at.timestep);
        return bounded(latents, at);
      };
      await walk({ sampler, steps: 8, denoise });
      expect(got).toHaveLength(times.length);
      for (const [i, time] of times.entries()) expect(got[i]).toBeCloseTo(time, 3);
    },
  );
});

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
    ['EULER', 1],
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
