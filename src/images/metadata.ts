import { z } from 'zod';
import { addTexts, readTexts, xmpKeyword } from './png.ts';
import { writeXmp } from './xmp.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const pictureMetadata = z.object({
  /** Name and version, for example `Easel 0.1.0`. */
  software: z.string(),
  /** What was asked, complete. `seed` is this picture's own. */
  settings: z.object({
    prompt: z.string(),
    negativePrompt: z.string(),
    cleanCaption: z.boolean(),
    model: z.string(),
    width: z.number(),
    height: z.number(),
    steps: z.number(),
    guidanceScale: z.number(),
    guidanceStart: z.number(),
    guidanceEnd: z.number(),
    sampler: z.string(),
    seed: z.number(),
  }),
  /** What the pixels depended on beside that: checksums (SHA-256, hex), versions, provider. */
  provenance: z.object({
    modelSha256: sha256,
    textEncoderSha256: sha256,
    vaeSha256: sha256,
    runtime: z.string(),
    executionProvider: z.string(),
    precision: z.string(),
    engineVersion: z.string(),
  }),
});

/** Enough to make the same picture again. An engine's request and provenance fit as they are. */
export type PictureMetadata = z.infer<typeof pictureMetadata>;

export type MetadataToWrite = PictureMetadata & {
  /** The name that other programs have for the sampler. */
  readonly samplerTitle: string;
};

/** The texts found in a picture; each null where there is none. */
export type EmbeddedTexts = {
  /** Ours, exact. */
  readonly easel: PictureMetadata | null;
  /** The form that many programs write: prompt, negative prompt, a line of settings. */
  readonly parameters: string | null;
  readonly xmp: string | null;
};

/** The same pixels, with the words: `parameters` for other programs, `easel` for us, XMP for the world. */
export function embedMetadata(png: Buffer, metadata: MetadataToWrite): Buffer {
  const { software, settings } = metadata;
  return addTexts(png, [
    { keyword: 'parameters', text: parametersText(metadata) },
    // Parsing drops what a wider object may carry, so that only what is listed gets into files.
    { keyword: 'easel', text: JSON.stringify(pictureMetadata.parse(metadata)) },
    { keyword: xmpKeyword, text: writeXmp({ software, prompt: settings.prompt }) },
  ]);
}

/** Of a PNG; files of other kinds have none. What is there but malformed counts as not there. */
export function readMetadata(bytes: Uint8Array): EmbeddedTexts {
  const texts = readTexts(bytes);
  return {
    easel: parseEasel(texts.get('easel')),
    parameters: texts.get('parameters') ?? null,
    xmp: texts.get(xmpKeyword) ?? null,
  };
}

function parametersText(metadata: MetadataToWrite): string {
  const { software, settings, samplerTitle, provenance } = metadata;
  const { prompt, negativePrompt } = settings;
  const line = [
    `Steps: ${settings.steps}`,
    `Sampler: ${samplerTitle}`,
    `CFG scale: ${settings.guidanceScale}`,
    `Seed: ${settings.seed}`,
    `Size: ${settings.width}x${settings.height}`,
    `Model hash: ${provenance.modelSha256.slice(0, 10)}`,
    `Model: ${quoted(settings.model)}`,
    `Version: ${quoted(software)}`,
  ].join(', ');
  const negative = negativePrompt === '' ? [] : [`Negative prompt: ${negativePrompt}`];
  return [prompt, ...negative, line].join('\n');
}

/** Commas and colons separate the settings: a value that has one is written as a JSON string. */
function quoted(value: string): string {
  return /[,:\n"]/.test(value) ? JSON.stringify(value) : value;
}

function parseEasel(text: string | undefined): PictureMetadata | null {
  if (text === undefined) return null;
  try {
    return pictureMetadata.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // Not JSON: somebody else's word under our name.
  }
}
