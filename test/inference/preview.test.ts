import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadVae } from '../../src/inference/networks/vae.ts';
import {
  createFrameClock,
  fitLatentRgb,
  latentFrame,
  pictureBytes,
} from '../../src/inference/pipelines/preview.ts';
import { createPreviewDemand, setPreviewDemand } from '../../src/inference/request.ts';
import { seededNoise } from '../../src/inference/sampling/latents.ts';
import { writeRandomModel } from '../support/random-model.ts';

describe('a preview frame', () => {
  it('maps each latent to one pixel, row by row, clamped', () => {
    const matrix = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 0],
    ];
    // (4, 1, 2): channel by channel
    const latents = Float32Array.of(-1, 1, 0, 0.5, -9, 9, 3, 3);
    const { width, height, rgb } = latentFrame(
      latents,
      { width: 2, height: 1 },
      { matrix, bias: [0, 0, 0] },
    );
    expect([width, height]).toEqual([2, 1]);
    expect([...rgb]).toEqual([0, 128, 0, 255, 191, 255]);
  });

  it('is of the matrix that fits an autoencoder best', async () => {
    const truth = {
      matrix: [
        [0.2, 0.1, 0],
        [0, 0.1, 0.1],
        [-0.1, 0, 0.1],
        [0.05, 0.1, -0.2],
      ],
      bias: [0.1, 0, -0.1],
    };
    const fitted = await fitLatentRgb({
      async decode(latents, height, width) {
        const count = height * width;
        const data = new Float32Array(3 * 64 * count);
        for (let i = 0; i < data.length; i++) {
          const [channel, y, x] = [
            Math.floor(i / (64 * count)),
            Math.floor(i / (8 * width)) % (8 * height),
            i % (8 * width),
          ];
          const at = (y >> 3) * width + (x >> 3);
          data[i] = truth.matrix.reduce(
            (sum, row, k) => sum + row[channel]! * latents[k * count + at]!,
            truth.bias[channel]!,
          );
        }
        return { data };
      },
    });
    fitted.matrix.forEach((row, k) => {
      row.forEach((value, channel) => {
        expect(value).toBeCloseTo(truth.matrix[k]![channel]!, 3);
      });
    });
    expect(fitted.bias[0]).toBeCloseTo(0.1, 3);
  });

  it('is fitted to a real autoencoder better than one grey', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'easel-preview-'));
    const vae = await loadVae(join(writeRandomModel(join(folder, 'random')), 'vae'), {
      provider: 'cpu',
      threads: 1,
    });
    const latentRgb = await fitLatentRgb(vae);
    const latents = seededNoise(99, 4 * 64);
    const { data } = await vae.decode(latents, 8, 8);
    await vae.release();
    rmSync(folder, { recursive: true });
    const { rgb } = latentFrame(latents, { width: 8, height: 8 }, latentRgb);
    const picture = pictureBytes(data);
    const mean = (y: number, x: number, channel: number) => {
      let sum = 0;
      for (let i = 0; i < 64; i++) {
        sum += picture[((y * 8 + (i >> 3)) * 64 + x * 8 + (i & 7)) * 3 + channel]!;
      }
      return sum / 64;
    };
    let [fit, grey] = [0, 0];
    const means = Array.from({ length: 192 }, (_, i) =>
      mean(Math.floor(i / 24), Math.floor(i / 3) % 8, i % 3),
    );
    const average = means.reduce((sum, value) => sum + value, 0) / means.length;
    means.forEach((value, i) => {
      fit += (value - rgb[i]!) ** 2;
      grey += (value - average) ** 2;
    });
    expect(fit).toBeLessThan(grey);
  });
});

describe('the clock of frames', () => {
  it('is due at once where somebody asks, then not before the interval has passed', () => {
    let now = 1000;
    const demand = createPreviewDemand();
    const clock = createFrameClock(demand, () => now);
    expect(clock.isDue()).toBe(false);
    setPreviewDemand(demand, 100);
    expect(clock.isDue()).toBe(true);
    now += 99;
    expect(clock.isDue()).toBe(false);
    now += 1;
    expect(clock.isDue()).toBe(true);
    setPreviewDemand(demand, null);
    now += 1000;
    expect(clock.isDue()).toBe(false);
  });

  it('is never due without a demand', () => {
    expect(createFrameClock(null).isDue()).toBe(false);
  });
});
