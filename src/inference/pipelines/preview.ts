import type { PreviewDemand } from '../request.ts';
import { latentChannels, latentFactor, seededNoise } from '../sampling/latents.ts';

/** Scaled latents (as the sampler has them) to RGB in −1 to 1: `rgb[c] = bias[c] + Σ latents[k]·matrix[k][c]`. */
export type LatentRgb = {
  /** 4 rows (latent channels) of 3 (red, green, blue). */
  readonly matrix: readonly (readonly number[])[];
  readonly bias: readonly number[];
};

export type Frame = { readonly width: number; readonly height: number; readonly rgb: Uint8Array };

/** Latents (4, height, width) as a picture of their own size. */
export function latentFrame(
  latents: Float32Array,
  { width, height }: { width: number; height: number },
  { matrix, bias }: LatentRgb,
): Frame {
  const count = width * height;
  const rgb = new Uint8Array(count * 3);
  for (let channel = 0; channel < 3; channel++) {
    const [m0, m1, m2, m3] = matrix.map((row) => row[channel]!) as [number, number, number, number];
    const offset = bias[channel]!;
    for (let i = 0; i < count; i++) {
      const value =
        offset +
        m0 * latents[i]! +
        m1 * latents[count + i]! +
        m2 * latents[2 * count + i]! +
        m3 * latents[3 * count + i]!;
      rgb[i * 3 + channel] = toByte(value);
    }
  }
  return { width, height, rgb };
}

/** A decoded picture (3, height, width) in −1 to 1 as interleaved bytes. */
export function pictureBytes(planes: Float32Array): Uint8Array {
  const count = planes.length / 3;
  const rgb = new Uint8Array(planes.length);
  for (let i = 0; i < count; i++) {
    rgb[i * 3] = toByte(planes[i]!);
    rgb[i * 3 + 1] = toByte(planes[count + i]!);
    rgb[i * 3 + 2] = toByte(planes[2 * count + i]!);
  }
  return rgb;
}

/** −1 to 1 → 0 to 255, clamped, rounded to the nearest. */
function toByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round((value + 1) * 127.5)));
}

/** Says, step by step, whether somebody wants a frame by now. */
export function createFrameClock(demand: PreviewDemand | null, now = () => performance.now()) {
  let last = Number.NEGATIVE_INFINITY;
  return {
    isDue(): boolean {
      const wanted = demand === null ? 0 : Atomics.load(demand.cell, 0);
      if (wanted === 0 || now() - last < wanted - 1) return false;
      last = now();
      return true;
    },
  };
}

type Decoder = {
  decode(latents: Float32Array, height: number, width: number): Promise<{ data: Float32Array }>;
};

/** Latents along a side of the pictures that are fitted on, and how many of them. */
const fitSide = 8;
const fitPictures = 4;

/**
 * The matrix of an autoencoder that came without one: least squares between random latents and the
 * mean colour of what they decode to. Each latent covers 8×8 pixels.
 */
export async function fitLatentRgb(vae: Decoder): Promise<LatentRgb> {
  const unknowns = latentChannels + 1;
  const normal = Array.from({ length: unknowns }, () => new Array<number>(unknowns + 3).fill(0));
  const count = fitSide * fitSide;
  for (let picture = 0; picture < fitPictures; picture++) {
    const latents = blotches(picture);
    const { data } = await vae.decode(latents, fitSide, fitSide);
    for (let i = 0; i < count; i++) {
      const colour = meanColour(data, Math.floor(i / fitSide), i % fitSide);
      const row = [0, 1, 2, 3].map((channel) => latents[channel * count + i]!);
      const equation = [...row, 1, ...colour];
      for (let a = 0; a < unknowns; a++) {
        for (let b = 0; b < unknowns + 3; b++) normal[a]![b]! += equation[a]! * equation[b]!;
      }
    }
  }
  const solution = solve(normal, unknowns);
  return { matrix: solution.slice(0, latentChannels), bias: solution[latentChannels]! };
}

/** Latents in patches of 2×2, so that a colour has room to show. (4, side, side) */
function blotches(picture: number): Float32Array {
  const half = fitSide / 2;
  const noise = seededNoise(picture, latentChannels * half * half);
  return Float32Array.from({ length: latentChannels * fitSide * fitSide }, (_, i) => {
    const channel = Math.floor(i / (fitSide * fitSide));
    const [y, x] = [Math.floor(i / fitSide) % fitSide, i % fitSide];
    return noise[(channel * half + (y >> 1)) * half + (x >> 1)]!;
  });
}

function meanColour(planes: Float32Array, y: number, x: number): number[] {
  const side = fitSide * latentFactor;
  return [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let row = 0; row < latentFactor; row++) {
      const start = (channel * side + y * latentFactor + row) * side + x * latentFactor;
      for (let i = 0; i < latentFactor; i++) sum += Math.min(1, Math.max(-1, planes[start + i]!));
    }
    return sum / latentFactor ** 2;
  });
}

/** Gauss–Jordan on the normal equations `[A | B]`, with a trace of ridge; rows of A⁻¹B. */
function solve(equations: number[][], unknowns: number): number[][] {
  for (let i = 0; i < unknowns; i++) equations[i]![i]! += 1e-6;
  for (let i = 0; i < unknowns; i++) {
    let pivot = i;
    for (let row = i + 1; row < unknowns; row++) {
      if (Math.abs(equations[row]![i]!) > Math.abs(equations[pivot]![i]!)) pivot = row;
    }
    [equations[i], equations[pivot]] = [equations[pivot]!, equations[i]!];
    const divisor = equations[i]![i]!;
    equations[i] = equations[i]!.map((value) => value / divisor);
    equations.forEach((row, other) => {
      if (other === i) return;
      const factor = row[i]!;
      equations[other] = row.map((value, column) => value - factor * equations[i]![column]!);
    });
  }
  return equations.map((row) => row.slice(unknowns));
}
