/** Of PixArt's autoencoder: channels, and pixels per latent along each axis. */
export const latentChannels = 4;
export const latentFactor = 8;

/** N(0, 1) latents to start from: (4, height/8, width/8), pixels of the image given. */
export function initialLatents(
  seed: number,
  { width, height }: { readonly width: number; readonly height: number },
): Float32Array {
  const count = latentChannels * (height / latentFactor) * (width / latentFactor);
  return seededNoise(seed, count);
}

/**
 * Which latents a mask of pixels opens, row-major (height/8, width/8): those of which any pixel is above 0.
 * Whatever is to be repainted may change, however thin it is; how much of it shows is for the pixels.
 * @param mask (height, width)
 */
export function latentMask(
  mask: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
): boolean[] {
  const across = width / latentFactor;
  const isOpen = new Array<boolean>(across * (height / latentFactor)).fill(false);
  for (const [pixel, value] of mask.entries()) {
    if (value === 0) continue;
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    isOpen[Math.floor(y / latentFactor) * across + Math.floor(x / latentFactor)] = true;
  }
  return isOpen;
}

/** The noise that a sampler adds after step `step` (1, 2, …): its own stream of the same seed. */
export function stepNoise(seed: number, step: number, count: number): Float32Array {
  return seededNoise(seed, count, step);
}

/** The noise that latents of a source image are drawn with from their distribution: its own stream of the same seed. */
export function encodingNoise(seed: number, count: number): Float32Array {
  return seededNoise(seed, count, 2 ** 32 - 1);
}

/**
 * N(0, 1) numbers that depend on the seed alone, not on the machine, the provider or the order in
 * which anything runs: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011) with the seed as its key and (block, stream) as its counter, then Box–Muller in double.
 * A longer request begins with the same numbers.
 * @param seed whole, 0 to 2^53 − 1
 * @param stream whole, 0 to 2^32 − 1: independent numbers of one seed
 */
export function seededNoise(seed: number, count: number, stream = 0): Float32Array {
  const key0 = seed >>> 0;
  const key1 = Math.floor(seed / 2 ** 32) >>> 0;
  const noise = new Float32Array(count);
  const word = new Uint32Array(4);
  for (let block = 0; block * 4 < count; block++) {
    word[0] = block;
    word[1] = 0;
    word[2] = stream;
    word[3] = 0;
    philox(word, key0, key1);
    for (let pair = 0; pair < 4; pair += 2) {
      const radius = Math.sqrt(-2 * Math.log((word[pair]! + 0.5) / 2 ** 32));
      const angle = 2 * Math.PI * ((word[pair + 1]! + 0.5) / 2 ** 32);
      const index = block * 4 + pair; // writes past the end of a typed array are ignored
      noise[index] = radius * Math.cos(angle);
      noise[index + 1] = radius * Math.sin(angle);
    }
  }
  return noise;
}

/** Philox 4x32-10 in place: four 32-bit words of counter in, four random ones out. */
export function philox(word: Uint32Array, key0: number, key1: number): void {
  let [c0, c1, c2, c3] = [word[0]!, word[1]!, word[2]!, word[3]!];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ key0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ key1) >>> 0;
    c3 = low0 >>> 0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  word[0] = c0;
  word[1] = c1;
  word[2] = c2;
  word[3] = c3;
}

/** The upper 32 bits of a 32 × 32 bit product, in halves: doubles hold 53. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow, bHigh, bLow] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 65536);
  const carry = aLow * bHigh + (middle % 65536);
  return aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536);
}
