import { beforeEach, describe, expect, it } from 'vitest';
import type { Conditioning, Transformer } from '../../src/inference/networks/transformer.ts';
import {
  createDenoiser,
  type DenoiseRequest,
  type Denoiser,
} from '../../src/inference/pipelines/denoiser.ts';
import { createTurns } from '../../src/inference/pipelines/turns.ts';
import { cleanEstimate, evenPoints } from '../../src/inference/sampling/points.ts';
import { createSchedule } from '../../src/inference/sampling/schedule.ts';
import { dpmSolverMultistep } from '../../src/inference/sampling/scheduler-classes.ts';

const schedule = createSchedule({ options: {} }, dpmSolverMultistep);
const side = 8;
const conditioning: Conditioning = { tokens: 0, feeds: {}, bytes: 0 };

let turns: string[];
let line: ReturnType<typeof createTurns>;
let lastOrder = 0;
beforeEach(() => {
  turns = [];
  line = createTurns({ onTurn: ({ share }) => turns.push(share) });
});

describe('requests to the denoiser', () => {
  const at = evenPoints(schedule, 2)[1]!;
  /** Each prediction depends on its input; the sizes of batches are recorded. */
  function counting() {
    const batches: number[] = [];
    const predict: Transformer['predict'] = async (inputs) => {
      batches.push(inputs.length);
      return inputs.map(({ latents, timestep }) => latents.map((x) => x * timestep));
    };
    return { batches, transformer: { predict } };
  }
  const ask = (
    denoiser: Denoiser,
    transformer: DenoiseRequest['transformer'],
    { share = 'a', size = side, fill = 1, isCanceled = () => false },
  ) =>
    denoiser.denoise({
      job: { share, order: ++lastOrder, isCanceled },
      transformer,
      latents: new Float32Array(4 * size * size).fill(fill),
      latentHeight: size,
      latentWidth: size,
      at,
      conditioning,
      guidance: null,
      perturbedScale: 0,
    });

  it('of one network and size are computed together, up to so many', async () => {
    const denoiser = createDenoiser(line, { maxBatch: 3 });
    const [one, other] = [counting(), counting()];
    const fills = [1, 2, 3, 4, 5];
    const answers = fills.map((fill) => ask(denoiser, one.transformer, { fill, share: `${fill}` }));
    const apart = [
      ask(denoiser, one.transformer, { size: 4 }),
      ask(denoiser, other.transformer, {}),
    ];
    const clean = await Promise.all(answers);
    await Promise.all(apart);
    expect(one.batches.toSorted()).toEqual([1, 2, 3]);
    expect(other.batches).toEqual([1]);
    for (const [index, fill] of fills.entries()) {
      const latents = Float32Array.of(fill);
      const [expected] = cleanEstimate(
        latents,
        latents.map((x) => x * at.timestep),
        at,
      );
      expect(clean[index]![0]).toBe(expected);
    }
    expect(turns).toHaveLength(4); // Those that were computed in another's turn take none.
  });

  it('that are cancelled while they wait are not computed, and the others are', async () => {
    const denoiser = createDenoiser(line, { maxBatch: 4 });
    const { transformer, batches } = counting();
    let isCanceled = false;
    const going = ask(denoiser, transformer, { share: 'a' });
    const leaving = ask(denoiser, transformer, { share: 'b', isCanceled: () => isCanceled });
    isCanceled = true;
    line.sweep();
    await expect(leaving).rejects.toMatchObject({ name: 'Canceled' });
    expect((await going)[0]).toBeDefined();
    expect(batches).toEqual([1]);
  });

  it('of which one fails leave the others their result', async () => {
    const denoiser = createDenoiser(line, { maxBatch: 4 });
    const { transformer } = counting();
    const failing = ask(denoiser, transformer, { fill: Number.POSITIVE_INFINITY });
    const going = ask(denoiser, transformer, { share: 'b' });
    await expect(failing).rejects.toMatchObject({ name: 'NotFinite' });
    expect((await going)[0]).toBeDefined();
  });
});
