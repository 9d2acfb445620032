import type { Readable } from 'node:stream';
import busboy from 'busboy';
import type { Request } from 'express';
import { z } from 'zod';
import { BadInput } from '../errors.ts';
import { limits } from '../inference/request.ts';

const sizes = /^(\d{2,4})x(\d{2,4})$/;

/** What of OpenAI's image requests means something here; the rest (quality, style, user …) is passed over, as other servers do. */
const shape = z.object({
  prompt: z.string({ error: 'a text' }),
  model: z.string().nullish(),
  n: z.coerce
    .number()
    .int()
    .min(limits.count.min)
    .max(limits.count.max, `at most ${limits.count.max} images`)
    .nullish(),
  size: z
    .string()
    .refine(
      (size) => size === 'auto' || sizes.test(size),
      'width x height, such as 1024x1024, or auto',
    )
    .nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
  stream: z.preprocess((value) => value === true || value === 'true', z.boolean()),
  partial_images: z.coerce.number().int().min(0).max(3).nullish(),
  /** Of Easel itself. */
  seed: z.coerce.number().int().min(0).max(limits.seed.max).nullish(),
  negative_prompt: z.string().nullish(),
  strength: z.coerce.number().nullish(),
});

export type ImageOrder = {
  readonly prompt: string;
  readonly model: string | null;
  readonly count: number;
  readonly size: { readonly width: number; readonly height: number } | null;
  readonly format: 'url' | 'b64_json';
  readonly stream: boolean;
  readonly partialImages: number;
  readonly seed: number | null;
  readonly negativePrompt: string | null;
  readonly strength: number;
};

/** @throws BadInput with everything that is wrong with it */
export function readOrder(body: unknown): ImageOrder {
  const parsed = shape.safeParse(body);
  if (!parsed.success) {
    const [first, ...others] = parsed.error.issues.map(({ path, message }) => ({
      path: path.map(String),
      expected: message,
      got: gotIn(body, path),
    }));
    throw new BadInput(first ?? { path: [], expected: 'an object', got: typeof body }, ...others);
  }
  const { data } = parsed;
  const [, width, height] = sizes.exec(data.size ?? '') ?? [];
  return {
    prompt: data.prompt,
    model: modelNamed(data.model),
    count: data.n ?? 1,
    size: width && height ? { width: Number(width), height: Number(height) } : null,
    format: data.response_format ?? 'url',
    stream: data.stream,
    partialImages: data.partial_images ?? 0,
    seed: data.seed ?? null,
    negativePrompt: data.negative_prompt ?? null,
    strength: data.strength ?? 0.6,
  };
}

function gotIn(body: unknown, [name]: readonly PropertyKey[]) {
  const value: unknown = Object(body)[name ?? ''];
  if (typeof value === 'string' || typeof value === 'number') return value;
  return { phrase: value == null ? 'none' : 'a value of another kind' };
}

/** Programs that know OpenAI's models alone get the default one. */
function modelNamed(name: string | null | undefined): string | null {
  return name == null || /^(dall-e|gpt-image)/.test(name) ? null : name;
}

/** Names that OpenAI's clients give the file of an edit. */
const imageNames = new Set(['image', 'image[]']);

/**
 * The form of an edit: its fields, and the image as it comes. Fields behind the image are read, too, since the image is
 * kept in memory up to `maxBytes`. @throws BadInput
 */
export async function readForm(
  request: Request,
  { maxBytes }: { maxBytes: number },
): Promise<{ fields: Record<string, string>; image: Buffer }> {
  const fields: Record<string, string> = {};
  let image: Buffer | null = null;
  const refused: BadInput[] = [];
  await new Promise<void>((resolve, reject) => {
    const form = busboy({
      headers: request.headers,
      limits: { fileSize: maxBytes, files: 4, fields: 40, fieldSize: 100_000, parts: 60 },
    });
    form.on('field', (name, value) => {
      if (!Object.hasOwn(fields, name) && name !== '__proto__') fields[name] = value;
    });
    form.on('file', (name, file: Readable & { truncated?: boolean }) => {
      const chunks: Buffer[] = [];
      const isWanted = imageNames.has(name) && image === null;
      if (!isWanted) refused.push(onlyOneImage(name));
      file.on('data', (chunk: Buffer) => isWanted && chunks.push(chunk));
      file.on('end', () => {
        if (isWanted) image = Buffer.concat(chunks);
        if (file.truncated) refused.push(tooLarge(maxBytes));
      });
    });
    form.on('close', resolve);
    form.on('error', reject);
    request.once('close', () => !request.complete && reject(new Error('cut off')));
    request.pipe(form);
  }).catch((cause: Error) => {
    refused.push(noForm(cause.message));
  });
  const [fault] = refused;
  if (fault !== undefined) throw fault;
  if (image === null) throw noForm('a form without the file "image"');
  return { fields, image };
}

function onlyOneImage(got: string): BadInput {
  const expected = 'one image and no mask: masks are for GraphQL (settings.image.maskAssetId)';
  return new BadInput({ path: [got.slice(0, 100)], expected, got: { phrase: 'a further file' } });
}

function tooLarge(max: number): BadInput {
  const got = { phrase: 'a larger one' };
  return new BadInput({ path: ['image'], expected: `a file of at most ${max} bytes`, got, max });
}

function noForm(got: string): BadInput {
  const expected = 'a form (multipart/form-data) with the file "image" and the field "prompt"';
  return new BadInput({ path: ['image'], expected, got: { phrase: got.slice(0, 200) } });
}
