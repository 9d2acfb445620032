import type { MetadataToWrite, PictureMetadata } from '../../src/images/metadata.ts';

/** A smooth gradient with a disc on it: RGB, row-major. */
export function drawing(width: number, height: number): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isDisc = Math.hypot(x / width - 0.5, y / height - 0.5) < 0.25;
      const at = (y * width + x) * 3;
      rgb[at] = isDisc ? 230 : Math.round((x / width) * 255);
      rgb[at + 1] = isDisc ? 40 : Math.round((y / height) * 255);
      rgb[at + 2] = isDisc ? 30 : 120;
    }
  }
  return rgb;
}

/** What comes back out of a file. */
export const embedded: PictureMetadata = {
  software: 'Easel 0.1.0',
  settings: {
    prompt: 'a red boat on the sea at sunset',
    negativePrompt: 'blurry',
    cleanCaption: true,
    model: 'easel-mini',
    width: 256,
    height: 192,
    steps: 20,
    guidanceScale: 4.5,
    guidanceStart: 0,
    guidanceEnd: 1,
    sampler: 'DPMPP_2M',
    seed: 42,
  },
  provenance: {
    modelSha256: '0123456789abcdef'.repeat(4),
    textEncoderSha256: 'a'.repeat(64),
    vaeSha256: 'b'.repeat(64),
    runtime: 'onnxruntime-node 1.30.0',
    executionProvider: 'cpu',
    precision: 'F32',
    engineVersion: '0.1.0',
  },
};

export const metadata: MetadataToWrite = { ...embedded, samplerTitle: 'DPM++ 2M' };

/** The same, with another prompt. */
export function withPrompt(prompt: string): MetadataToWrite {
  return { ...metadata, settings: { ...metadata.settings, prompt } };
}

/** Root of the mean squared difference of two pictures' bytes, 0 to 255. */
export function difference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (const [i, byte] of a.entries()) sum += (byte - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / a.length);
}
