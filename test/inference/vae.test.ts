import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AttentionForm } from '../../src/inference/networks/layers.ts';
import { loadVae, type Vae } from '../../src/inference/networks/vae.ts';
import {
  absoluteSum,
  fill,
  relativeError,
  roundTo,
  sum,
  temporaryFolder,
  vaeRule,
  wave,
  writeNetwork,
} from '../support/golden.ts';
import { vaeShapes } from '../support/random-model.ts';

const cpu = { provider: 'cpu', threads: 1 } as const;
const config = {
  block_out_channels: [8, 8, 16, 16],
  layers_per_block: 2,
  norm_num_groups: 4,
  in_channels: 3,
  out_channels: 3,
  latent_channels: 4,
  sample_size: 64,
  scaling_factor: 0.13025,
  act_fn: 'silu',
};
const tensors = fill(vaeShapes({ channels: [8, 8, 16, 16], layersPerBlock: 2 }), vaeRule);

describe('the autoencoder', () => {
  const folder = temporaryFolder();
  const path = writeNetwork(join(folder.path, 'vae'), config, tensors);
  afterAll(folder.remove);

  async function withVae<T>(options: object, use: (vae: Vae) => Promise<T>): Promise<T> {
    // In groups of layers, as the large ones run.
    const vae = await loadVae(path, { ...cpu, splitFrom: 0, ...options });
    try {
      return await use(vae);
    } finally {
      await vae.release();
    }
  }

  /** Golden latents are the encoder's own; the sampler sees them scaled. */
  const scaled = (height: number, width: number) =>
    wave(4 * height * width).map((value) => value * config.scaling_factor);

  /** Values at [c, y, x]: (0,0,0) (0,0,1) (1,3,2) (last, last, last); then sum and sum of sizes. */
  function expectPlanes(
    { data, height, width }: { data: Float32Array; height: number; width: number },
    values: readonly number[],
    sums: readonly [number, number],
  ) {
    const at = (c: number, y: number, x: number) => data[(c * height + y) * width + x]!;
    const got = [at(0, 0, 0), at(0, 0, 1), at(1, 3, 2), data.at(-1)!];
    got.forEach((value, i) => {
      expect(Math.abs(value - values[i]!)).toBeLessThan(5e-6);
    });
    // Printed to five decimals; single precision adds up to about a millionth of the sizes.
    const tolerance = 2e-6 * sums[1] + 1e-5;
    expect(Math.abs(sum(data) - sums[0])).toBeLessThan(tolerance);
    expect(Math.abs(absoluteSum(data) - sums[1])).toBeLessThan(tolerance);
  }

  it.each(['fused', 'composed'] satisfies AttentionForm[])(
    'decodes as the reference, %s',
    async (attention) => {
      const options = { attention, tiling: false };
      const pixels = await withVae(options, (vae) => vae.decode(scaled(6, 10), 6, 10));
      expect([pixels.channels, pixels.height, pixels.width]).toEqual([3, 48, 80]);
      expectPlanes(pixels, [0.114322, 0.126899, 0.101244, 0.030306], [1487.09719, 4146.02036]);
    },
  );

  it.each(['fused', 'composed'] satisfies AttentionForm[])(
    'encodes as the reference, %s',
    async (attention) => {
      const options = { attention, tiling: false };
      const { mean, logvar, ...size } = await withVae(options, (vae) =>
        vae.encode(wave(3 * 48 * 80), 48, 80),
      );
      expect(size).toEqual({ height: 6, width: 10 });
      expectPlanes(
        { data: mean, ...size },
        [0.097268, 0.103796, 0.066758, 0.243826],
        [16.87772, 36.0974],
      );
      expectPlanes(
        { data: logvar, ...size },
        [0.259176, 0.279544, 0.079907, 0.250307],
        [8.61834, 61.83443],
      );
    },
  );

  it('decodes a larger picture whole where asked to', async () => {
    const pixels = await withVae({ tiling: false }, (vae) => vae.decode(scaled(12, 20), 12, 20));
    expectPlanes(pixels, [0.118069, 0.131113, 0.145939, 0.026679], [6545.45294, 17949.73186]);
  });

  it('decodes in blended tiles above its own size, as the reference', async () => {
    const pixels = await withVae({}, (vae) => vae.decode(scaled(12, 20), 12, 20));
    expect([pixels.height, pixels.width]).toEqual([96, 160]);
    expectPlanes(pixels, [0.121259, 0.136308, 0.209055, 0.034232], [6584.72808, 19144.66658]);
  });

  it('encodes in blended tiles above its own size, as the reference', async () => {
    const pixels = wave(3 * 96 * 160);
    const tiled = await withVae({}, (vae) => vae.encode(pixels, 96, 160));
    expectPlanes(
      { data: tiled.mean, height: tiled.height, width: tiled.width },
      [0.236228, 0.301057, 0.002178, 0.045726],
      [66.43595, 132.28079],
    );
    const whole = await withVae({ tiling: false }, (vae) => vae.encode(pixels, 96, 160));
    expectPlanes(
      { data: whole.mean, height: whole.height, width: whole.width },
      [0.315994, 0.382028, -0.05356, -0.019264],
      [68.41884, 135.96279],
    );
  });

  it('asks between groups of layers whether to go on', async () => {
    const stop = new Error('stop');
    const stopAt = (last: number) => {
      let asked = 0;
      return async () => {
        asked++;
        if (asked === last) throw stop;
      };
    };
    await withVae({ tiling: false }, async (vae) => {
      const decode = (last: number) => vae.decode(scaled(6, 10), 6, 10, stopAt(last));
      await expect(decode(5)).rejects.toBe(stop);
      await decode(6);
      const encode = (last: number) => vae.encode(wave(3 * 48 * 80), 48, 80, stopAt(last));
      await expect(encode(4)).rejects.toBe(stop);
      await encode(5);
    });
  });

  it('asks in every tile', async () => {
    let asked = 0;
    const ask = async () => {
      asked++;
    };
    await withVae({}, (vae) => vae.decode(scaled(12, 20), 12, 20, ask));
    expect(asked).toBe(5 * 8);
  });

  it('computes a small network in one run, and the same', async () => {
    let asked = 0;
    const ask = async () => {
      asked++;
    };
    const run = (options: object) =>
      withVae({ tiling: false, ...options }, async (vae) => ({
        pixels: (await vae.decode(scaled(6, 10), 6, 10, ask)).data,
        moments: await vae.encode(wave(3 * 48 * 80), 48, 80, ask),
      }));
    const whole = await run({ splitFrom: undefined });
    expect(asked).toBe(2);
    const split = await run({});
    expect(relativeError(whole.pixels, split.pixels)).toBeLessThan(1e-6);
    expect(relativeError(whole.moments.mean, split.moments.mean)).toBeLessThan(1e-6);
    expect(relativeError(whole.moments.logvar, split.moments.logvar)).toBeLessThan(1e-6);
  });

  it("reads the attention's names of older files", async () => {
    const older = { to_q: 'query', to_k: 'key', to_v: 'value', 'to_out.0': 'proj_attn' };
    const renamed = Object.entries(tensors).map(([name, tensor]) => {
      const part = Object.entries(older).find(([now]) => name.includes(`attentions.0.${now}.`));
      return [part === undefined ? name : name.replace(part[0], part[1]), tensor] as const;
    });
    const old = writeNetwork(join(folder.path, 'old'), config, Object.fromEntries(renamed));
    const vae = await loadVae(old, { ...cpu, tiling: false });
    const pixels = await vae.decode(scaled(6, 10), 6, 10);
    await vae.release();
    expectPlanes(pixels, [0.114322, 0.126899, 0.101244, 0.030306], [1487.09719, 4146.02036]);
  });

  it('computes in single precision on half-precision weights', async () => {
    const half = Object.entries(tensors).map(([name, tensor]) => [
      name,
      { ...tensor, dtype: 'F16' as const },
    ]);
    const decode = async (name: string, stored: typeof tensors) => {
      const written = writeNetwork(join(folder.path, name), config, stored);
      const vae = await loadVae(written, { ...cpu, splitFrom: 0, tiling: false });
      const { data } = await vae.decode(scaled(6, 10), 6, 10);
      await vae.release();
      return data;
    };
    const narrow = await decode('half', Object.fromEntries(half));
    const wide = await decode('rounded', roundTo('F16', tensors));
    expect(relativeError(narrow, wide)).toBeLessThan(1e-6);
  });
});
